"""The composed hub, as processes."""
