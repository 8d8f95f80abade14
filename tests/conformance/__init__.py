"""Other people's validators over what the hub writes: `make conformance` (README.md)."""
