"""Use cases: one verb per file. Each takes a `Repository` and returns a frozen result."""
