"""`greenroom metrics`: shows Prometheus the tables, what is in Redis, and what all workers count."""
