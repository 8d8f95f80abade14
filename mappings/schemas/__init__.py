"""The schemas that formats are checked against, and the generator of our own."""
