"""SFTP: a connection to a partner's server, and the names of files there."""
