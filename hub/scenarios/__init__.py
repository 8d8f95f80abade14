"""Scenarios: a family's story as a file, played against a real hub with partner doubles.

The language and its vocabulary are described in `tests/acceptance/README.md`, for engineers who
read no code.
"""
