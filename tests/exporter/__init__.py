"""Metrics: what the exporter shows, the rules that alert by it, and the dashboard that draws it."""
