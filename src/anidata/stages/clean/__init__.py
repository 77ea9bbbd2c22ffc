"""Clean: decide which pictures are good enough, by thresholds on their columns."""

from anidata.registry import face

SETTINGS = "clean"

__getattr__ = face(
    __name__,
    {
        "DECISION": "decision",
        "Config": "config",
        "run": "stage",
        "is_up_to_date": "stage",
        "thresholds": "stage",
    },
)
