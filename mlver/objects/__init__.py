"""Immutable values and their one canonical encoding."""
