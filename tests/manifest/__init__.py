"""Manifest files: what is read of them, and what is refused at which line."""
