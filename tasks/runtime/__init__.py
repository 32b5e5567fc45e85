"""What several tasks share: their world, heartbeats, leases, back-off."""
