"""The stack that lives on one machine as long as a command does: broker, workers, beat and what they need."""
