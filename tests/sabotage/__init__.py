"""Hubs that are broken on purpose, and the tests that notice."""
