"""Registers of consent that are somebody else's; our own is the store itself."""
