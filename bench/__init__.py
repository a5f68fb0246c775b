"""Benchmarks: the gateway beside its peers, on the same core in the same run."""
