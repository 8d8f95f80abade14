"""`ecaf import`: history of paper and of legacy systems into a hub."""
