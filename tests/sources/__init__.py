"""Sources: what may be opened, and how."""
