"""Bytes under keys: the storage contract and its backends."""
