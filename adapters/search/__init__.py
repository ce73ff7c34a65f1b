"""Search for tickets by texts that are stored only sealed."""
