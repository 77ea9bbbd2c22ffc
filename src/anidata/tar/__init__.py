"""Tar files: read under bounds, write the same bytes every time."""
