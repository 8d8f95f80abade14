"""One module a step; names say before which code they may run."""
