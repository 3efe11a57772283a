"""Derived look-ups in `cache/`. All of it can be deleted at any time."""
