"""The HTTP API: what the schedulers' client can do, for programs without Celery (`greenroom serve`).

It enqueues the same tasks over the broker by the same client, and reads who may do so; it sends nothing to
the provider. For people it has pages that only read (`api.pages`).
"""
