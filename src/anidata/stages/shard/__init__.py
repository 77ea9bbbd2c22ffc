"""Shard: pack the pairs into the final data set."""

from anidata.registry import face

SETTINGS = "shard"

__getattr__ = face(
    __name__,
    {
        "Config": "config",
        "run": "stage",
        "is_up_to_date": "plan",
        "has_run": "plan",
        "spelled": "config",
        "portable": "config",
    },
)
