"""Stores (S3, Google Cloud Storage, Azure, SFTP), read by a process of their own through fsspec."""
