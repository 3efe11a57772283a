"""Versions data, models, rules, metrics and alert histories together."""

__version__ = "0.1.0"
