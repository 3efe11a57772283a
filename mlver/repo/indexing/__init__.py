"""Filling the history index from a repository: each commit, operation and fact goes in once."""
