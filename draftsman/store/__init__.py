"""Postgres is the truth. One module per table family; each function is one statement or one transaction."""
