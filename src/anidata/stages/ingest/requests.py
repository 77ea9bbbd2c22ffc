"""The URLs that sightings ask for: their pictures', and those of the artist's own lineart beside them.

A lineart's response goes by a name of its own, RECORD.line, in journals and in the table of what was
fetched. It is asked for under the same rules, fails with a code of its own, which the sighting then has as
`line_error`, and is asked for again without its color.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict, TypeVar, cast

from anidata import storage
from anidata.fetch import validator
from anidata.sources.web.secrets import scrubbed, url_without_secrets
from anidata.stages.ingest.rows import FetchedBody, FetchedRow, Sighting, refer_line, refer_picture

LONGEST = 2000  # characters of any text of a response
LINE = ".line"  # ends the name of what is asked for a sighting's lineart

Row = TypeVar("Row", bound=dict[str, Any])


class AskedUrl(TypedDict):
    """One URL that a sighting asks for."""

    record: str  # the name of what is asked for
    generation: int
    at_uri: str
    referer: str | None


def is_line(name: str) -> bool:
    return name.endswith(LINE)


def record_of(name: str) -> str:
    """The sighting that something was asked for."""
    return name.removesuffix(LINE)


def first_url(row: Sighting) -> str | None:
    """The URL whose host decides who asks for a sighting; None: nothing is asked for."""
    for uri in (row["at_uri"], row["line_uri"]):
        if _is_on_web(uri):
            return uri
    return None


def asked(rows: Iterable[Sighting]) -> list[AskedUrl]:
    """A row for each URL of these sightings."""
    return [url for row in rows for url in _urls(row)]


def _urls(row: Sighting) -> Iterator[AskedUrl]:
    for ending, uri, referer in (
        ("", row["at_uri"], row.get("referer")),
        (LINE, row["line_uri"], row.get("line_referer")),
    ):
        if uri and _is_on_web(uri):
            yield {
                "record": row["record"] + ending,
                "generation": row["generation"],
                "at_uri": uri,
                "referer": referer,
            }


def spelled(row: Sighting, name: str, uri: str) -> Sighting:
    """A sighting in which what is asked for by a name has another URL."""
    column = "line_uri" if is_line(name) else "at_uri"
    return cast("Sighting", row | {column: uri})


def shown(row: Row) -> Row:
    """A response as it may be written down.

    It holds nothing that can't be sent back, no credentials, and not more than a little of anything.
    """
    texts = {name: _shown_text(value) for name, value in row.items() if isinstance(value, str)}
    for name in ("url", "final_url"):
        texts[name] = url_without_secrets(row[name])
    validators = {name: validator(row[name]) for name in ("etag", "modified")}
    return cast("Row", row | texts | validators)


def _shown_text(text: str) -> str:
    return scrubbed(text).encode("utf-8", "replace").decode()[:LONGEST]


def _is_on_web(uri: str | None) -> bool:
    return (uri or "").startswith(storage.WEB)


def answered(row: Sighting, fetched: Mapping[str, FetchedRow]) -> Sighting:
    """A sighting once its URLs are fetched.

    It refers into the workspace, or has the reason why there is nothing to refer to.
    """
    picture, line = fetched.get(row["record"]), fetched.get(row["record"] + LINE)
    row = row.copy()
    if picture:
        refer_picture(row, picture["at_uri"], picture["at_offset"], picture["at_size"])
        row["error"], row["message"] = picture["error"], picture["message"]
    if line:
        refer_line(row, line["at_uri"], line["at_offset"], line["at_size"])
        row["line_error"] = line["error"]
    return row


def missing(row: Sighting, wanted: set[str], last: Mapping[str, FetchedBody]) -> Sighting:
    """A sighting that is planned again for the sake of what is `wanted`.

    What has come already is referred to, and not asked for again. last: the latest row of each that was asked
    for and came.
    """
    for name, refer in ((row["record"], refer_picture), (row["record"] + LINE, refer_line)):
        if name in last and name not in wanted:
            body = last[name]
            refer(row, body["at_uri"], body["at_offset"], body["at_size"])
    return row
