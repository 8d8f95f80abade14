"""Use cases, one module a verb."""
