"""Celery tasks, each a plain function that takes its world as an argument, and a thin entry point."""
