"""Call-backs: what signs them, and where they may go."""
