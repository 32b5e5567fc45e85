"""Messages that send media IDs: what goes out, and what is refused before it does."""
