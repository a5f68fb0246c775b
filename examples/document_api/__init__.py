"""A small document service to stand behind the gateway: PDFs, kept in SQLite by account."""
