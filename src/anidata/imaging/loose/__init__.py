"""Loose pictures in, PNGs out: the one way in which commands on loose pictures write files."""
