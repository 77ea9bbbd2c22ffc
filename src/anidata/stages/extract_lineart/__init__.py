"""Extract lineart: fit the kept pictures and draw their lineart, the pairs."""

from anidata.registry import face

SETTINGS = "lineart"

__getattr__ = face(
    __name__,
    {
        "DECISION": "decision",
        "Config": "config",
        "run": "stage",
        "is_up_to_date": "state",
        "spelled": "config",
        "anchored": "config",
        "pinned": "config",
        "portable": "config",
    },
)
