"""Weights of networks that others have trained: where they come from, are converted to, and lie."""

from anidata import registry

__getattr__ = registry.face(
    __name__,
    {
        **dict.fromkeys(("available", "folder", "is_known", "listing", "load"), "files"),
        "convert": "conversion",
    },
)
