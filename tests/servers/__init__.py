"""Real servers for the tests, started privately and stopped by the pid that we were given."""
