"""Benchmarks: what Greenroom costs, and how fast it is, measured by one command each."""
