"""A small booking service to stand behind the gateway: appointments, kept in SQLite."""
