"""Doors other than HTTP: each knows a protocol, and hands bytes to the hub's `receive`."""
