"""The forms that the database has had, oldest first; `adapters.database.migrate` runs them."""
