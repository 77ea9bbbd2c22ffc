"""Dedup: find copies, and keep the best of each cluster."""
