"""Processes that look at files: they may die, hang or grow, and no other file notices."""
