"""What is remembered: configuration, counters, blocks and the ledger."""
