"""Words everyone uses: errors, clock, addresses, keys, texts, log, the upstream client."""
