"""Ingest: read every picture once, and measure it."""

from anidata.registry import face

SETTINGS = "ingest"

__getattr__ = face(
    __name__,
    {
        "Config": "config",
        "run": "stage",
        "is_up_to_date": "stage",
        "has_run": "stage",
        "waiting": "stage",
        "portable": "config",
    },
)
