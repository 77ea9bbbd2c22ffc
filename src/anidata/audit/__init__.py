"""Audit finished shards, anyone's, for integrity and leakage."""
