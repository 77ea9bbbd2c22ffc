"""Dedup: find copies, and keep the best of each cluster."""

from anidata.registry import face

SETTINGS = "dedup"

__getattr__ = face(
    __name__,
    {
        "DECISION": "decision",
        "Config": "config",
        "run": "stage",
        "is_up_to_date": "state",
        "decide_again": "stage",
        "portable": "config",
    },
)
