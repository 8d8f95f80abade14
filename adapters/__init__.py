"""Everything that talks to somebody else's system: moves bytes, decides nothing."""
