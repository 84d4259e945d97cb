"""The only door to the DuckDB file and the folders beside it."""
