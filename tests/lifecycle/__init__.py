"""The rules of time that media IDs live by."""
