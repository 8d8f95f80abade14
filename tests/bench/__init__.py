"""Benchmarks: ratios beside a peer in one run, never a timed assertion."""
