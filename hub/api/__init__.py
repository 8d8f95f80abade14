"""The HTTP door: authenticates, bounds, parses nothing, and answers with codes."""
