"""The HTTP API: what the schedulers' client can do, for programs without Celery (`greenroom serve`).

It enqueues the same tasks over the broker by the same client, and reads who may do so; it works on no table
of its own, and sends nothing to the provider.
"""
