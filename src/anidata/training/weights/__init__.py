"""Weights of networks that others have trained: where they come from, are converted to, and lie."""

from anidata import registry

__getattr__ = registry.face(
    __name__,
    {"available": "files", "folder": "files", "listing": "files", "load": "files", "convert": "conversion"},
)
