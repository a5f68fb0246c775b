"""The customer's pages: what was used, what is open, and what can be chosen."""
