"""The pinned versions, and what `make lock` needs to write them."""
