"""Two gateways in front of one booking service, which count together in Redis."""
