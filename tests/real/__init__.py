"""Stories against a real EVM node, a real database and, in some, the daemon's own process."""
