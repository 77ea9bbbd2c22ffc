"""Samples of a tar → records: members that share a key.

Their JSON and text are notes, and their lineart goes with their color.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from anidata.errors import BadImage
from anidata.sources import Options, Record
from anidata.sources.listing.files import ListedFile, ignored
from anidata.sources.listing.sidecars import (
    SIDECAR_LIMIT,
    BadSidecar,
    Notes,
    clean,
    digest_of,
    extra_of,
    from_fields,
    from_text,
    object_of,
    short,
)
from anidata.storage import encode, read, readable
from anidata.tar.writer import split_name

TEXTS = ("txt", "text", "caption")  # suffixes of captions, as webdataset decodes them
NUMBERS = ("cls", "cls2", "class", "index", "inx", "id", "label")  # of what it decodes as a number
LINEART = ("lineart", "line", "sketch")  # how a suffix begins whose picture is the sample's lineart
DRAWN = ("style", "polarity")  # fields of the JSON of a data set whose lineart a program drew,
ARTIST = "artist"  # unless its style is this
FETCHED = "success"  # what img2dataset calls it
LONGEST = 500  # characters of another program's message

Row = dict[str, Any]


@dataclass
class Sample:
    """The members that share a key."""

    key: str
    json: ListedFile | None = None
    texts: list[ListedFile] = field(default_factory=list)
    pictures: list[ListedFile] = field(default_factory=list)
    lines: list[ListedFile] = field(default_factory=list)


@dataclass(frozen=True)
class SampleNotes:
    """The notes on a sample, which all its pictures share."""

    notes: Notes
    extra: str | None
    message: str | None  # on a sidecar that can't be read
    has_artist_lines: bool


def samples(
    root: str, below: str, members: Iterable[ListedFile], rows: dict[str, Row], options: Options
) -> Iterator[Record]:
    """Yield the records of one tar, in its order; then those of what its table says was never fetched.

    below: the tar's name below the root, with a slash. rows: of img2dataset's table, by key.
    """
    missing = dict(rows)
    refused = []
    gathered: dict[tuple[str, int], Sample] = {}
    for member in members:
        key, suffix = split_name(member.path)
        if member.at is None:
            refused.append(member)
            continue
        missing.pop(_row_key(key), None)
        _sort_in(gathered.setdefault((key, member.again), Sample(key)), member, suffix.lower())
    for sample in gathered.values():
        yield from _records(root, below, sample, rows.get(_row_key(sample.key)), options)
    for member in refused:
        yield _refused(root, below, member)
    for key, row in missing.items():
        yield _not_fetched(root, below, key, row)


def _row_key(key: str) -> str:
    """A sample's key as img2dataset's table has it, without the folder."""
    return key.rpartition("/")[2]


def _sort_in(sample: Sample, member: ListedFile, suffix: str) -> None:
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
    """Yield a record for each picture; the lineart goes with the one called color, or else the first."""
    notes = _notes(sample, row, options)
    lines = sample.lines if notes.has_artist_lines else []
    colored = (one for one in sample.pictures if _suffix(one).startswith("color."))
    owner = next(colored, None) or next(iter(sample.pictures), None)
    for picture in sample.pictures or sample.lines:  # lineart alone is a picture like others
        line = lines[0] if lines and picture is owner else None
        yield _record(root, below, picture, notes, line)


def _suffix(member: ListedFile) -> str:
    return split_name(member.path)[1].lower()


def _record(
    root: str, below: str, picture: ListedFile, about: SampleNotes, line: ListedFile | None
) -> Record:
    digest = digest_of(about.notes, about.extra, line and line.stamp)
    return Record(
        root=root,
        name=_name(below, picture),
        file=_file(picture),
        at=picture.at,
        message=about.message,
        stamp=f"{picture.stamp}-{digest}",
        line=line.at if line else None,
        extra=about.extra,
        **about.notes.fields(),
    )


def placeholder(root: str, below: str) -> Record:
    """The record that stands for the tar itself, or for what of it couldn't be read."""
    return Record(root=root, name=encode(below or "tar"), file="\ufffd")


def _refused(root: str, below: str, member: ListedFile) -> Record:
    name = _name(below, member) if member.path else placeholder(root, below).name
    return Record(
        root=root,
        name=name,
        file=_file(member),
        error=member.error,
        message=member.message,
        stamp=member.stamp,
    )


def _not_fetched(root: str, below: str, key: str, row: Row) -> Record:
    """A row of img2dataset's table without a picture in its tar."""
    error, message = _loss(row)
    return Record(
        root=root,
        name=encode(f"{below}{key}") + "#row",
        file=clean(key) or "\ufffd",
        error=error,
        message=clean(message),
        stamp=str(row["status"]),
        extra=_extra(row),
        **_from(row).fields(),
    )


def _loss(row: Row) -> tuple[str, str]:
    """Code and message of a row whose picture isn't there."""
    if row["status"] == FETCHED:
        return "missing", "img2dataset says that it was fetched, and it isn't in the tar"
    why = clean(str(row.get("error_message") or ""))[:LONGEST]
    return "not_fetched", f"img2dataset: {row['status']}: {why}"


def _notes(sample: Sample, row: Row | None, options: Options) -> SampleNotes:
    """The notes of a sample's JSON, then of its texts, then of the row of its table."""
    fields = dict(row or {})
    notes, message = _from_texts(sample.texts, fields, options)
    if sample.json:
        try:
            fields |= object_of(_read(sample.json, options).decode("utf-8-sig", "replace"))
        except (BadImage, BadSidecar) as error:
            message = ignored(sample.json, error)
    is_drawn = all(name in fields for name in DRAWN) and fields["style"] != ARTIST
    return SampleNotes(_from(fields).over(notes), _extra(fields), message, not is_drawn)


def _from_texts(texts: list[ListedFile], fields: Row, options: Options) -> tuple[Notes, str | None]:
    """The notes of captions, and a word on a text that can't be read.

    fields: to be filled with what is no caption.
    """
    notes, message = Notes(), None
    for text in texts:
        suffix = _suffix(text)
        try:
            data = _read(text, options)
            if suffix.rpartition(".")[2] in TEXTS:
                notes = notes.over(_from_caption(suffix, data))
            else:
                fields[suffix] = clean(data.decode("utf-8", "replace"))[:LONGEST]
        except (BadImage, BadSidecar) as error:
            message = ignored(text, error)
    return notes, message


def _from_caption(suffix: str, data: bytes) -> Notes:
    """A text is a caption, unless it is a list of tags."""
    if suffix.endswith("caption"):
        return Notes(caption=short(clean(data.decode("utf-8-sig", "replace"))) or None)
    return from_text(data)


def _read(member: ListedFile, options: Options) -> bytes:
    return read(member.at, options.base, SIDECAR_LIMIT) if member.at else b""


def _from(fields: Row) -> Notes:
    return from_fields({clean(str(name)).lower(): value for name, value in fields.items()})


def _extra(fields: Row) -> str | None:
    return extra_of({clean(str(name)).lower(): value for name, value in fields.items()})


def _name(below: str, member: ListedFile) -> str:
    return encode(below + member.path) + (f"#{member.again}" if member.again > 1 else "")


def _file(member: ListedFile) -> str:
    return clean(readable(member.name)) or "\ufffd"
