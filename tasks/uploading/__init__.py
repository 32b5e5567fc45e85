"""What `media.upload` needs: the owner's turn, the sender, and what is written down of uploads."""
