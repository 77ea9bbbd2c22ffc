"""Samples of a tar → records: members that share a key, their JSON and text as notes, their lineart beside their color."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from anidata.errors import BadImage
from anidata.sources import Options, Record
from anidata.sources.listing.files import Found
from anidata.sources.listing.sidecars import (
    SIDECAR_LIMIT,
    BadSidecar,
    Notes,
    clean,
    extra_of,
    from_fields,
    from_text,
    object_of,
)
from anidata.storage import encode, read, readable
from anidata.tar.writer import split_name

TEXTS = ("txt", "text", "caption")  # suffixes of captions, as webdataset decodes them
NUMBERS = ("cls", "cls2", "class", "index", "inx", "id", "label")  # of what it decodes as a number
LINEART = ("lineart", "line", "sketch")  # what a suffix begins with whose picture is the sample's lineart
DRAWN = ("style", "polarity")  # fields of the JSON of a data set whose lineart a program drew,
ARTIST = "artist"  # unless its style is this
FETCHED = "success"  # what img2dataset calls it
LONGEST = 500  # characters of another program's message

Row = dict[str, Any]


@dataclass
class Sample:
    """The members that share a key."""

    key: str
    json: Found | None = None
    texts: list[Found] = field(default_factory=list)
    pictures: list[Found] = field(default_factory=list)
    lines: list[Found] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """What is known of a sample."""

    notes: Notes
    extra: str | None
    message: str | None  # on a sidecar that can't be read
    has_artist_lines: bool


def samples(
    root: str, below: str, members: Iterable[Found], rows: dict[str, Row], options: Options
) -> Iterator[Record]:
    """The records of one tar, in its order; then those of what its table says was never fetched.

    below: the tar's name below the root, with a slash. rows: of img2dataset's table, by key.
    """
    missing = dict(rows)
    refused = []
    gathered: dict[tuple[str, int], Sample] = {}
    for member in members:
        key, suffix = split_name(member.path)
        missing.pop(key.rpartition("/")[2], None) if member.at else None
        if member.at is None:
            refused.append(member)
            continue
        _sort_in(gathered.setdefault((key, member.again), Sample(key)), member, suffix.lower())
    for sample in gathered.values():
        yield from _records(root, below, sample, rows.get(sample.key.rpartition("/")[2]), options)
    for member in refused:
        yield _refused(root, below, member)
    for key, row in missing.items():
        yield _unfetched(root, below, key, row)


def _sort_in(sample: Sample, member: Found, suffix: str) -> None:
    last = suffix.rpartition(".")[2]
    if suffix == "json":
        sample.json = member
    elif last in TEXTS or last in NUMBERS:
        sample.texts.append(member)
    elif re.split(r"[._]", suffix)[0] in LINEART:
        sample.lines.append(member)
    else:
        sample.pictures.append(member)


def _records(root: str, below: str, sample: Sample, row: Row | None, options: Options) -> Iterator[Record]:
    """A record for each picture of a sample; the lineart goes with the one called color, or else the first."""
    said = _said(sample, row, options)
    lines = sample.lines if said.has_artist_lines else []
    colored = next((p for p in sample.pictures if split_name(p.path)[1].lower().startswith("color.")), None)
    owner = colored or next(iter(sample.pictures), None)
    pictures = sample.pictures or (
        lines if said.has_artist_lines else sample.lines
    )  # lineart alone is a picture like others
    for picture in pictures:
        line = lines[0] if lines and picture is owner else None
        yield _record(root, below, picture, said, line)


def _record(root: str, below: str, picture: Found, said: Said, line: Found | None) -> Record:
    notes = said.notes
    told = hashlib.sha256(repr((notes, said.extra, line and line.stamp)).encode()).hexdigest()[:12]
    return Record(
        root=root, name=_name(below, picture), file=_file(picture), at=picture.at, message=said.message, stamp=f"{picture.stamp}-{told}",
        url=notes.url, license=notes.license, artist=notes.artist, rating=notes.rating, tags=notes.tags, caption=notes.caption,
        line=line.at if line else None, extra=said.extra,
    )  # fmt: skip


def rest(root: str, below: str) -> Record:
    """What stands for the tar itself, or for the rest of it."""
    return Record(root=root, name=encode(below or "tar"), file="\ufffd")


def _refused(root: str, below: str, member: Found) -> Record:
    name = _name(below, member) if member.path else rest(root, below).name
    return Record(
        root=root,
        name=name,
        file=_file(member),
        error=member.error,
        message=member.message,
        stamp=member.stamp,
    )


def _unfetched(root: str, below: str, key: str, row: Row) -> Record:
    """A row of img2dataset's table without a picture in its tar."""
    notes, why = _from(row), clean(str(row.get("error_message") or ""))[:LONGEST]
    lost = row["status"] == FETCHED
    message = (
        "img2dataset says that it was fetched, and it isn't in the tar"
        if lost
        else f"img2dataset: {row['status']}: {why}"
    )
    return Record(
        root=root, name=encode(f"{below}{key}") + "#row", file=clean(key) or "\ufffd", error="missing" if lost else "not_fetched", message=clean(message),
        stamp=str(row["status"]), url=notes.url, license=notes.license, artist=notes.artist, rating=notes.rating, tags=notes.tags,
        caption=notes.caption, extra=_extra(row),
    )  # fmt: skip


def _said(sample: Sample, row: Row | None, options: Options) -> Said:
    """Of a sample's JSON, then its texts, then the row of its table."""
    fields, message = dict(row or {}), None
    notes = Notes()
    for text in sample.texts:
        suffix = split_name(text.path)[1].lower()
        try:
            data = _read(text, options)
        except BadImage as error:
            message = f"{clean(readable(text.name))} is ignored: {error.message}"
            continue
        if suffix.rpartition(".")[2] in TEXTS:
            notes = notes.over(_told(suffix, data))
        else:
            fields[suffix] = clean(data.decode("utf-8", "replace"))[:LONGEST]
    if sample.json:
        try:
            fields |= object_of(_read(sample.json, options).decode("utf-8-sig", "replace"))
        except (BadImage, BadSidecar) as error:
            message = f"{clean(readable(sample.json.name))} is ignored: {getattr(error, 'message', error)}"
    is_drawn = all(name in fields for name in DRAWN) and fields["style"] != ARTIST
    return Said(_from(fields).over(notes), _extra(fields), message, not is_drawn)


def _told(suffix: str, data: bytes) -> Notes:
    """A text is a caption, unless it is a list of tags."""
    return (
        Notes(caption=clean(data.decode("utf-8-sig", "replace")) or None)
        if suffix.endswith("caption")
        else from_text(data)
    )


def _read(member: Found, options: Options) -> bytes:
    return read(member.at, options.base, SIDECAR_LIMIT) if member.at else b""


def _from(fields: Row) -> Notes:
    return from_fields({clean(str(name)).lower(): value for name, value in fields.items()})


def _extra(fields: Row) -> str | None:
    return extra_of({clean(str(name)).lower(): value for name, value in fields.items()})


def _name(below: str, member: Found) -> str:
    return encode(below + member.path) + (f"#{member.again}" if member.again > 1 else "")


def _file(member: Found) -> str:
    return clean(readable(member.name)) or "\ufffd"
