"""Bytes to pixels and back: decode, fit, encode, lay out on sheets."""
