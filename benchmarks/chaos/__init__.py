"""Chaos: the real stack is broken in every way that we could think of, and counted whether a file is lost."""
