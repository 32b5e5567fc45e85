"""Months of campaigns in seconds: the real tasks and tables, the sandbox's rules, and a clock that moves."""
