"""What things are worth: sources, what they said last, and asking them again in time."""
