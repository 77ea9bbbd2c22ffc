"""The date that somebody states of a picture: by the names that galleries and sidecars give it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# In order of trust: when it was posted, put up, made. No name of a later change is here.
NAMES = (
    *("created_at", "posted_at", "published_at", "date", "post_date", "create_date"),
    *("published", "published_time", "upload_date", "uploaded_at", "timestamp"),
    *("date_created", "creation_date", "created"),
)
LONGEST = 64  # characters of a date
EARLIEST = 1800  # years before are what programs write for none
SECONDS, MILLISECONDS = range(9, 12), range(12, 15)  # digits of a number that counts since 1970


def stated(fields: Mapping[str, Any]) -> str | None:
    """The first of the named fields that holds a date, as its text."""
    return next((text for name in NAMES if seconds(text := _text(fields.get(name))) is not None), None)


def seconds(text: str) -> float | None:
    """A date as seconds since 1970, UTC where it names no zone; None where it is none."""
    if text.isascii() and text.isdigit() and len(text) in (*SECONDS, *MILLISECONDS):
        return int(text) / (1000 if len(text) in MILLISECONDS else 1)
    try:
        moment = datetime.fromisoformat(text) if len(text) <= LONGEST else None
        if moment is None or moment.year < EARLIEST:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    """A text or a number; of an object as some boorus write it its seconds."""
    if isinstance(value, dict):
        value = value.get("s")
    if isinstance(value, float):
        value = int(value) if abs(value) < 1e15 else ""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
