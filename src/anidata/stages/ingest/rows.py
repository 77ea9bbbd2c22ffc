"""Rows of ingest's tables: what is planned, what was fetched, what is recorded.

A row is a plain dict, as Arrow takes and gives it; its class is for those who read and check the code.
"""

import hashlib
from typing import Any, TypedDict

from anidata.sources import Record
from anidata.sources.web.published import published
from anidata.storage import Reference

ImageRow = dict[str, Any]  # a picture; its columns are the measures' too: schemas.images_schema


class Sighting(TypedDict):
    """One sighting of a picture, as the plan has it: schemas.SIGHTINGS."""

    record: str
    generation: int
    kind: str
    root: str
    name: str
    file: str
    at_uri: str | None
    at_offset: int | None
    at_size: int | None
    line_uri: str | None
    line_offset: int | None
    line_size: int | None
    line_error: str | None
    error: str | None
    message: str | None
    stamp: str
    url: str | None
    license: str | None
    artist: str | None
    rating: str | None
    tags: list[str]
    caption: str | None
    extra: str | None
    referer: str | None
    line_referer: str | None


class RecordRow(Sighting):
    """A sighting whose bytes have been read, or are about to be: schemas.RECORDS."""

    key: str | None
    line_key: str | None


class FetchedBody(TypedDict):
    """Where the bytes lie that a URL gave, or why there are none."""

    record: str  # the name of what was asked for
    error: str | None
    at_uri: str | None
    at_offset: int | None
    at_size: int | None


class FetchedRow(FetchedBody):
    """A URL once it has been asked for: schemas.FETCHED."""

    generation: int
    url: str
    final_url: str
    asked: int  # microseconds since 1970
    http: int | None
    message: str | None
    redirects: int
    tries: int
    etag: str | None
    modified: str | None
    type: str | None
    robots_tag: str | None
    tdm_reservation: str | None
    tdm_policy: str | None
    content_usage: str | None
    ignored: str | None


def record_id(kind: str, root: str, name: str) -> str:
    """24 hex digits: which sighting this is, whatever its bytes are."""
    return hashlib.sha256(f"{kind}\0{root}\0{name}".encode()).hexdigest()[:24]


def row_of(kind: str, name: str, record: Record, generation: int) -> Sighting:
    """A record of a source as a row of the plan: published, but for the URLs that are to be fetched."""
    return _row(kind, name, published(record), generation)


def _row(kind: str, name: str, record: Record, generation: int) -> Sighting:
    at_uri, at_offset, at_size = _columns(record.at)
    line_uri, line_offset, line_size = _columns(record.line)
    return {
        "record": name,
        "generation": generation,
        "kind": kind,
        "root": record.root,
        "name": record.name,
        "file": record.file,
        "at_uri": at_uri,
        "at_offset": at_offset,
        "at_size": at_size,
        "line_uri": line_uri,
        "line_offset": line_offset,
        "line_size": line_size,
        "line_error": record.line_error,
        "error": record.error,
        "message": record.message,
        "stamp": record.stamp,
        "url": record.url,
        "license": record.license,
        "artist": record.artist,
        "rating": record.rating,
        "tags": list(record.tags),
        "caption": record.caption,
        "extra": record.extra,
        "referer": record.referer,
        "line_referer": record.line_referer,
    }


def _columns(reference: Reference | None) -> tuple[str | None, int | None, int | None]:
    return (reference.uri, reference.offset, reference.size) if reference else (None, None, None)


def picture_reference(row: Sighting) -> Reference | None:
    """The reference to the picture that a row holds, if it does."""
    return _reference(row["at_uri"], row["at_offset"], row["at_size"])


def line_reference(row: Sighting) -> Reference | None:
    """The reference to the artist's own lineart that a row holds, if it does."""
    return _reference(row["line_uri"], row["line_offset"], row["line_size"])


def _reference(uri: str | None, offset: int | None, size: int | None) -> Reference | None:
    return Reference(uri, offset or 0, size) if uri is not None else None


def refer_picture(row: Sighting, uri: str | None, offset: int | None, size: int | None) -> None:
    """Have a row refer to other bytes as its picture."""
    row["at_uri"], row["at_offset"], row["at_size"] = uri, offset, size


def refer_line(row: Sighting, uri: str | None, offset: int | None, size: int | None) -> None:
    """Have a row refer to other bytes as its picture's own lineart."""
    row["line_uri"], row["line_offset"], row["line_size"] = uri, offset, size
