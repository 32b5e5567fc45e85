"""The drill: each alert is fired by its fault, and ends after what the runbook says; see `__main__`."""
