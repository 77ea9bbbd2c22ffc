"""Files found side by side → records: sidecars read, true lineart attached, names encoded."""

import fnmatch
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anidata.errors import BadImage
from anidata.sources import Options, Record
from anidata.sources.listing.sidecars import (
    METADATA_LIMIT,
    READERS,
    SIDECAR_LIMIT,
    BadSidecar,
    Notes,
    clean,
    from_metadata,
)
from anidata.storage import Reference, encode, read, readable

METADATA = ("metadata.csv", "metadata.jsonl")
LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"}  # what systems leave behind


@dataclass(frozen=True, slots=True)
class Found:
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
    """What metadata files say of a folder and of all below it; the nearest that names a picture counts."""

    folder: str = ""  # with a slash at its end, or empty
    rows: dict[str, Notes] | None = None
    above: "Scope | None" = None

    def notes(self, path: str) -> Notes:
        scope: Scope | None = self
        while scope is not None:
            if scope.rows and (found := scope.rows.get(path[len(scope.folder) :])):
                return found
            scope = scope.above
        return Notes()


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or the system's own."""
    return name.startswith(".") or name.lower() in LITTER


def open_scope(folder: str, files: list[Found], above: Scope, base: Path) -> tuple[Scope, list[Found]]:
    """The scope of a folder, and its files without the metadata files that have been read."""
    rest = []
    for file in sorted(
        files, key=lambda file: file.path, reverse=True
    ):  # .csv is opened last, and so asked first
        rows = _metadata(file, base) if file.name in METADATA else None
        if rows is None:
            rest.append(file)
        else:
            above = Scope(folder, rows, above)
    return above, rest[::-1]


def tree_records(root: str, files: Iterable[Found], above: Scope, options: Options) -> Iterator[Record]:
    """The records of a whole tree, folder by folder as a walk would come upon them."""
    folders: dict[str, list[Found]] = defaultdict(list)
    for file in files:
        folders[file.path[: len(file.path) - len(file.name)]].append(file)
    scopes: dict[str, Scope] = {}
    for folder in sorted(folders, key=lambda folder: folder.split("/")):
        scope, rest = open_scope(folder, folders[folder], _nearest(scopes, folder, above), options.base)
        if scope.folder == folder and scope is not above:
            scopes[folder] = scope
        yield from folder_records(root, rest, scope, options)


def folder_records(
    root: str, files: list[Found], scope: Scope, options: Options, only: str | None = None
) -> Iterator[Record]:
    """The records of one folder's files, or of the one with a name, sorted by name."""
    files = sorted(files, key=lambda file: (file.path, file.again))
    sides, pictures = _sidecars(files)
    lines = _lines(pictures, options)
    drawn = {id(line) for line in lines.values()}
    for file in pictures:
        if id(file) not in drawn and only in (None, file.name):
            yield _record(
                root,
                file,
                _notes(file, sides, scope, options.base),
                lines.get(file.path) if file.again == 1 else None,
            )


def _nearest(scopes: dict[str, Scope], folder: str, above: Scope) -> Scope:
    while scopes and folder:
        folder = folder[: folder.rfind("/", 0, -1) + 1]
        if folder in scopes:
            return scopes[folder]
    return above


def _metadata(file: Found, base: Path) -> dict[str, Notes] | None:
    """The rows of a metadata file; None where it can't be read: then it stays a file like others, for all to see."""
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


def _sidecars(files: list[Found]) -> tuple[dict[tuple[str, str], Found], list[Found]]:
    """Sidecars by (what they belong to, ending), and the files that are none."""
    loose = [file for file in files if file.at is not None and _split(file.name)[1] in READERS]
    if not loose:
        return {}, files
    others = [file.name for file in files if _split(file.name)[1] not in READERS]
    owners = {*others, *(_split(name)[0] for name in others)}
    sides: dict[tuple[str, str], Found] = {}
    for file in loose:
        if _split(file.name)[0] in owners:
            sides.setdefault(_split(file.name), file)
    taken = {id(file) for file in sides.values()}
    return sides, [file for file in files if id(file) not in taken]


def _notes(
    file: Found, sides: dict[tuple[str, str], Found], scope: Scope, base: Path
) -> tuple[Notes, str | None]:
    """What sidecars and metadata say of a file: the nearer first; and a word on a sidecar that can't be read."""
    if not sides or file.at is None:
        return scope.notes(file.path), None
    notes, message = Notes(), None
    for ending, reader in READERS.items():
        for owner in (file.name, _split(file.name)[0]):
            side = sides.get((owner, ending))
            if side is None or side.at is None:
                continue
            try:
                notes = notes.over(reader(read(side.at, base, SIDECAR_LIMIT)))
            except (BadImage, BadSidecar) as error:
                message = f"{clean(readable(side.name))} is ignored: {getattr(error, 'message', error)}"
    return notes.over(scope.notes(file.path)), message


def _lines(files: list[Found], options: Options) -> dict[str, Found]:
    """The true lineart, by the path of its color picture."""
    if "*" not in options.lines:
        return {}
    pattern = stem_pattern(options.lines)
    drawn = {
        match[1]: file
        for file in reversed(files)
        if file.at is not None and (match := pattern.match(file.name))
    }
    if not drawn:
        return {}
    stems = {
        _split(file.name)[0]: file
        for file in reversed(files)
        if file.at is not None and not pattern.match(file.name)
    }
    if "*" in options.colors:
        colors = stem_pattern(options.colors)
        stems |= {
            match[1]: file
            for file in reversed(files)
            if file.at is not None and not pattern.match(file.name) and (match := colors.match(file.name))
        }
    return {stems[stem].path: line for stem, line in drawn.items() if stem in stems}


def stem_pattern(glob: str) -> re.Pattern[str]:
    """A pattern of file names whose first * is a group: the stem."""
    head, tail = glob.split("*", 1)
    return re.compile(f"{re.escape(head)}(.+){fnmatch.translate(tail)}", re.DOTALL)


def _record(root: str, file: Found, known: tuple[Notes, str | None], line: Found | None) -> Record:
    notes, message = known
    said = repr((notes, line and line.stamp)) if line or notes != Notes() else ""
    return Record(
        root=root,
        name=encode(file.path) + (f"#{file.again}" if file.again > 1 else ""),
        file=clean(readable(file.name)) or "\ufffd",
        at=file.at,
        error=file.error,
        message=file.message or message,
        stamp=f"{file.stamp}-{hashlib.sha256(said.encode()).hexdigest()[:12]}" if said else file.stamp,
        url=notes.url,
        license=notes.license,
        artist=notes.artist,
        rating=notes.rating,
        tags=notes.tags,
        caption=notes.caption,
        line=line.at if line else None,
    )
