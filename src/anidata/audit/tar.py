"""Audit, in the workers: the samples that the headers of a tar tell of, and whether its index agrees."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from anidata.engine.engine import Watch
from anidata.tar import opening, writer
from anidata.tar.reader import BadTar
from anidata.tar.writer import Member

META = re.compile(r"__[^/]*__($|/)")  # names that webdataset's readers pass over
MAX_TEXT = 300  # characters of a name or message of foreign origin
STEP = 1 << 20  # bytes read at a time


Layout = frozenset[str]  # the suffixes of a sample


@dataclass(frozen=True)
class Tally:
    """The number of those that have something in common, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def plus(self, name: str, most: int) -> "Tally":
        """The tally with one more, which is named where no `most` are yet."""
        return Tally(self.count + 1, self.first if len(self.first) >= most else [*self.first, name])


class Note(NamedTuple):
    """A finding whose code is known."""

    where: str
    message: str
    relation: str = ""  # of a leak


class Notes:
    """Findings by code: at most `most` of a code are kept, all are counted."""

    def __init__(self, most: int) -> None:
        self.most, self.counts = most, Counter[str]()
        self.kept: dict[str, list[Note]] = defaultdict(list)

    def add(self, code: str, where: str, message: str, relation: str = "") -> None:
        self.counts[code] += 1
        if len(self.kept[code]) < self.most:
            self.kept[code].append(Note(clipped(where), clipped(message), relation))

    def add_all(self, code: str, where: Tally, message: str) -> None:
        """Add findings of which only the first have been named."""
        for name in where.first:
            self.add(code, name, message)
        self.counts[code] += where.count - len(where.first)

    def take(self, other: "Notes") -> None:
        """Add another's findings behind these."""
        self.counts.update(other.counts)
        for code, notes in other.kept.items():
            self.kept[code] += notes[: max(0, self.most - len(self.kept[code]))]


@dataclass(frozen=True)
class Tar:
    """A tar to audit."""

    path: Path
    name: str  # as findings call it
    index: Path | None  # its *.idx, where there is one
    most: int  # findings kept of a code


@dataclass
class Scan:
    """Result of walking the headers of a tar."""

    notes: Notes
    runs: list[str] = field(default_factory=list)  # key of each run of adjacent members
    samples: int = 0
    layouts: dict[Layout, Tally] = field(default_factory=dict)  # → samples that have it, the first by key


def clipped(text: str) -> str:
    """Text of foreign origin: printable, and not endless."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_TEXT]) + "…" * (len(text) > MAX_TEXT)


def scan(tar: Tar, watch: Watch) -> Scan:
    """Walk the headers of a tar."""
    result = Scan(Notes(tar.most))
    for _, failure in watch.each([tar]):
        if failure:
            result.notes.add("tar", tar.name, f"reading its headers {failure.message}")
        else:
            _scan(tar, result)
    return result


def _scan(tar: Tar, result: Scan) -> None:
    listed: list[Member] = []
    try:
        with opening.opened(tar.path) as file:
            complaint = _walk(file, listed)
    except OSError as error:
        complaint = f"can't be read: {error.strerror}"
    if complaint:
        result.notes.add("tar", tar.name, complaint)
    for member in listed:
        if unsafe := _unsafe(member.name):
            result.notes.add("unsafe_name", f"{tar.name}/{member.name}", unsafe)
    _gather(tar, listed, result)
    if tar.index and not _agrees(tar.index, writer.index_text(listed)):
        text = f"{tar.index.name} tells other members or other places than the tar has"
        result.notes.add("index", tar.name, text)


def _walk(file: BinaryIO, listed: list[Member]) -> str:
    """List the members; returns a complaint about the tar, or nothing."""
    complaints: list[str] = []
    listed.extend(members(file, complaints))
    return complaints[0] if complaints else _tail(file)


def members(file: BinaryIO, complaints: list[str]) -> Iterator[Member]:
    """The members as far as they can be read."""
    count = 0
    try:
        for member in writer.members(file):
            yield member
            count += 1
    except BadTar as bad:
        complaints.append(f"breaks off after {count:,} files: {bad}")


def _tail(file: BinaryIO) -> str:
    """A complaint about what stands behind the end mark, or nothing: writers fill up with zeros."""
    while filler := file.read(STEP):
        if filler.count(0) != len(filler):
            return "there are data behind the end mark, which no reader sees"
    return ""


def _gather(tar: Tar, listed: list[Member], result: Scan) -> None:
    """Make samples of runs of adjacent members.

    One that shows again is scattered, or repeated where it brings a suffix anew.
    """
    known: dict[str, set[str]] = {}
    for key, members in runs(listed):
        result.runs.append(key)
        suffixes = {suffix_of(m) for m in members}
        before = known.get(key, set())
        if len(suffixes) < len(members) or before & suffixes:
            text = "this sample or a file of it is in the tar twice"
            result.notes.add("repeated", f"{tar.name}/{key}", text)
        elif before:
            text = "its files don't stand side by side: a reader makes several samples of it"
            result.notes.add("scattered", f"{tar.name}/{key}", text)
        result.samples += not before or bool(before & suffixes)
        known[key] = suffixes | before
    for key, suffixes in known.items():
        layout = frozenset(suffixes)
        result.layouts[layout] = result.layouts.get(layout, Tally()).plus(key, tar.most)


def runs(members: Iterator[Member] | list[Member]) -> Iterator[tuple[str, list[Member]]]:
    """(key, members) of each run of adjacent members, without those that belong to no sample."""
    usable = (m for m in members if all(_parted(m)) and not META.match(m.name))
    for key, run in groupby(usable, key=lambda m: writer.split_name(m.name)[0]):
        yield key, list(run)


def _parted(member: Member) -> tuple[str, str]:
    """(stem, suffix): hidden files have no stem."""
    key, suffix = writer.split_name(member.name)
    return key.rpartition("/")[2], suffix


def suffix_of(member: Member) -> str:
    """In lower case, as webdataset has it."""
    return writer.split_name(member.name)[1].lower()


def _unsafe(name: str) -> str:
    """The danger of a name, or nothing."""
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", name):
        return "an absolute path: unpacked, it lands outside"
    if ".." in re.split(r"[/\\]", name):
        return "climbs out of its folder: unpacked, it lands outside"
    return "" if name.isprintable() else "its name has unprintable characters, or is no UTF-8"


def _agrees(index: Path, text: str) -> bool:
    wanted = text.encode("utf-8", "surrogateescape")
    try:
        return index.stat().st_size == len(wanted) and opening.read_bytes(index, len(wanted)) == wanted
    except OSError:
        return False
