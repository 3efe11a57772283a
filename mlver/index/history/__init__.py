"""The history index: everything a repository knows as tables, for questions in SQL and for full-text search."""
