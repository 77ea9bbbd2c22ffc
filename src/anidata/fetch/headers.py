"""The headers of a response that matter to rights and to asking again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from anidata.fetch import Response, validator

COLUMNS = {
    "etag": "etag",
    "last-modified": "modified",
    "content-type": "type",
    "x-robots-tag": "robots_tag",
    "tdm-reservation": "tdm_reservation",
    "tdm-policy": "tdm_policy",
    "content-usage": "content_usage",
    "content-signal": None,
    "retry-after": None,
}  # header → column; None: it is read and not written down
VALIDATORS = ("etag", "modified")  # columns that are sent back
LONGEST = 2000  # characters of a header that are written down
SECONDS_DIGITS = 9  # of a Retry-After that are read: some 30 years


def note(reply: aiohttp.ClientResponse, response: Response) -> dict[str, list[str]]:
    """The headers that matter, by name in lower case; they are written down in the response too."""
    headers = {name: reply.headers.getall(name) for name in COLUMNS if name in reply.headers}
    for name, values in headers.items():
        if column := COLUMNS[name]:
            is_sent_back = column in VALIDATORS
            setattr(response, column, validator(", ".join(values)) if is_sent_back else _text(values))
    return headers


def _text(values: list[str]) -> str:
    """Values of one header as a column holds them: not too much, valid UTF-8 without NUL."""
    return ", ".join(values).encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST]


def wait_of(headers: Mapping[str, list[str]]) -> float:
    """Seconds that a Retry-After asks for, in seconds or as a date; 0 where there is none."""
    value = headers.get("retry-after", [""])[0].strip()
    if value.isascii() and value.isdigit():
        return float(value[:SECONDS_DIGITS])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, LookupError, ArithmeticError):  # email.utils, on what is no date
        return 0.0
