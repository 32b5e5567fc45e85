"""The short form of the faults, and the harness itself."""
