"""The suite; a package, so that tests can share servers, builders and strategies by name."""
