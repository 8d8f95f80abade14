"""The record on SQLite or PostgreSQL: tables, migrations, group commit, and the vault."""
