"""Stores (S3, Google Cloud Storage, SFTP), read by a process of their own through fsspec."""
