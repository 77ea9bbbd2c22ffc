"""Files found side by side → records: sidecars read, true lineart attached, names encoded."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anidata.errors import BadImage
from anidata.sources import Options, Record
from anidata.sources.listing.metadata import METADATA_LIMIT, from_metadata
from anidata.sources.listing.sidecars import (
    READERS,
    SIDECAR_LIMIT,
    BadSidecar,
    Notes,
    clean,
    digest_of,
    extra_of,
)
from anidata.storage import Reference, encode, read, readable

METADATA = ("metadata.csv", "metadata.jsonl")
LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"}  # what systems leave behind


Sidecars = dict[tuple[str, str], "ListedFile"]  # by the name that they belong to, and their ending


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file, or what is refused in its stead."""

    path: str  # below the root; may hold surrogate escapes
    at: Reference | None = None
    stamp: str = ""  # changes when the bytes may have
    error: str | None = None
    message: str | None = None
    again: int = 1  # the how-manieth of this path: archives may hold a name twice

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Scope:
    """Notes of metadata files on a folder and all below it; the nearest that names a picture counts."""

    folder: str = ""  # with a slash at its end, or empty
    rows: dict[str, Notes] | None = None
    above: "Scope | None" = None

    def notes(self, path: str) -> Notes:
        scope: Scope | None = self
        while scope is not None:
            if scope.rows and (notes := scope.rows.get(path[len(scope.folder) :])):
                return notes
            scope = scope.above
        return Notes()


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or the system's own."""
    return name.startswith(".") or name.lower() in LITTER


def open_scope(
    folder: str, files: list[ListedFile], above: Scope, base: Path
) -> tuple[Scope, list[ListedFile]]:
    """The scope of a folder, and its files without the metadata files that have been read."""
    others = []
    # .csv is opened last, and so asked first
    for file in sorted(files, key=lambda file: file.path, reverse=True):
        rows = _metadata(file, base) if file.name in METADATA else None
        if rows is None:
            others.append(file)
        else:
            above = Scope(folder, rows, above)
    return above, others[::-1]


def tree_records(root: str, files: Iterable[ListedFile], above: Scope, options: Options) -> Iterator[Record]:
    """Yield the records of a whole tree, folder by folder as a walk would come upon them."""
    folders: dict[str, list[ListedFile]] = defaultdict(list)
    for file in files:
        folders[file.path[: len(file.path) - len(file.name)]].append(file)
    scopes: dict[str, Scope] = {}
    for folder in sorted(folders, key=lambda folder: folder.split("/")):
        scope, others = open_scope(folder, folders[folder], _nearest(scopes, folder, above), options.base)
        if scope.folder == folder and scope is not above:
            scopes[folder] = scope
        yield from folder_records(root, others, scope, options)


def folder_records(
    root: str, files: list[ListedFile], scope: Scope, options: Options, only: str | None = None
) -> Iterator[Record]:
    """Yield the records of one folder's files, or of the one with a name, sorted by name."""
    files = sorted(files, key=lambda file: (file.path, file.again))
    sides, pictures = _sidecars(files)
    lines = _lines(pictures, options)
    drawn = {id(line) for line in lines.values()}
    for file in pictures:
        if id(file) in drawn or only not in (None, file.name):
            continue
        notes, message = _notes(file, sides, scope, options.base)
        line = lines.get(file.path) if file.again == 1 else None
        yield _record(root, file, notes, message, line)


def _nearest(scopes: dict[str, Scope], folder: str, above: Scope) -> Scope:
    while scopes and folder:
        folder = folder[: folder.rfind("/", 0, -1) + 1]
        if folder in scopes:
            return scopes[folder]
    return above


def _metadata(file: ListedFile, base: Path) -> dict[str, Notes] | None:
    """The rows of a metadata file.

    None where it can't be read: then it stays a file like others, for all to see.
    """
    if file.at is None:
        return None
    try:
        return from_metadata(file.name, read(file.at, base, METADATA_LIMIT))
    except (BadImage, BadSidecar):
        return None


def stem_of(name: str) -> str:
    """A name without its ending."""
    return _split(name)[0]


def _split(name: str) -> tuple[str, str]:
    """Stem and ending of a name: ('a.b', '.png') of 'a.b.png'."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending.lower()) if stem else (name, "")


def _sidecars(files: list[ListedFile]) -> tuple[Sidecars, list[ListedFile]]:
    """The sidecars, and the files that are none."""
    loose = [file for file in files if file.at is not None and _split(file.name)[1] in READERS]
    if not loose:
        return {}, files
    others = [file.name for file in files if _split(file.name)[1] not in READERS]
    owners = {*others, *map(stem_of, others)}
    sides: Sidecars = {}
    for file in loose:
        if stem_of(file.name) in owners:
            sides.setdefault(_split(file.name), file)
    taken = {id(file) for file in sides.values()}
    return sides, [file for file in files if id(file) not in taken]


def _notes(file: ListedFile, sides: Sidecars, scope: Scope, base: Path) -> tuple[Notes, str | None]:
    """The notes on a file, the nearest first, and a word on a sidecar that can't be read."""
    if not sides or file.at is None:
        return scope.notes(file.path), None
    notes, message = Notes(), None
    for ending, reader in READERS.items():
        for owner in (file.name, stem_of(file.name)):
            side = sides.get((owner, ending))
            if side is None or side.at is None:
                continue
            try:
                notes = notes.over(reader(read(side.at, base, SIDECAR_LIMIT)))
            except (BadImage, BadSidecar) as error:
                message = ignored(side, error)
    return notes.over(scope.notes(file.path)), message


def ignored(side: ListedFile, error: BadImage | BadSidecar) -> str:
    """A row's message on a sidecar that can't be read."""
    why = error.message if isinstance(error, BadImage) else str(error)
    return f"{clean(readable(side.name))} is ignored: {why}"


def _lines(files: list[ListedFile], options: Options) -> dict[str, ListedFile]:
    """The true lineart, by the path of its color picture."""
    if "*" not in options.lines:
        return {}
    pattern = stem_pattern(options.lines)
    files = [file for file in files if file.at is not None]
    drawn = _by_stem(files, pattern)
    if not drawn:
        return {}
    others = [file for file in files if not pattern.match(file.name)]
    colors = {stem_of(file.name): file for file in reversed(others)}
    if "*" in options.colors:
        colors |= _by_stem(others, stem_pattern(options.colors))
    return {colors[stem].path: line for stem, line in drawn.items() if stem in colors}


def _by_stem(files: list[ListedFile], pattern: re.Pattern[str]) -> dict[str, ListedFile]:
    """The files whose names fit a pattern, by their stems; the first of several counts."""
    return {match[1]: file for file in reversed(files) if (match := pattern.match(file.name))}


def stem_pattern(glob: str) -> re.Pattern[str]:
    """A pattern of file names whose first * is a group: the stem."""
    head, tail = glob.split("*", 1)
    return re.compile(f"{re.escape(head)}(.+){fnmatch.translate(tail)}", re.DOTALL)


def _record(
    root: str, file: ListedFile, notes: Notes, message: str | None, line: ListedFile | None
) -> Record:
    has_more = line is not None or notes != Notes()
    return Record(
        root=root,
        name=encode(file.path) + (f"#{file.again}" if file.again > 1 else ""),
        file=clean(readable(file.name)) or "\ufffd",
        at=file.at,
        error=file.error,
        message=file.message or message,
        stamp=f"{file.stamp}-{digest_of(notes, line and line.stamp)}" if has_more else file.stamp,
        line=line.at if line else None,
        extra=extra_of({"date": notes.stated}),
        **notes.fields(),
    )
