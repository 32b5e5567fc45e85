"""Greenroom and what people use instead: each uploads the same files to the same endpoint.

Each contender is a process of its own (``python -m benchmarks.peers NAME``), so that all that it costs can be
told from what measuring costs.
"""
