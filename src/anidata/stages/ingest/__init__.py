"""Ingest: read every picture once, and measure it."""
