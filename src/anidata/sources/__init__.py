"""Sources: one file, one kind.

A source lists records: it reads names, sizes and sidecars, never a whole picture.
Each file has
    EXAMPLE: str
        what a user types, for the README's table
    TAKES: str
        what stands behind the colon of `KIND:REST`, in words for whoever leaves it out; empty: nothing has to
    accepts(text: str) -> bool
        whether this kind takes a SOURCE as typed
    records(text: str, options: Options) -> Iterator[Record]
        in a stable order; SourceError where there is nothing
and may have
    state(text: str, options: Options) -> str | None
        changes whenever `records` would, and is quicker to tell; None: only listing tells
    placeholders(text: str) -> Iterable[Record]
        records that stand for what a listing lacks, settled by one that lacks nothing
    check(text: str) -> None
        SourceError for what isn't even to be remembered
    HAS_PATH: bool
        whether what stands behind the colon is a path, where it is no URL; without it, it is
The first source whose `accepts` says so takes a SOURCE; `KIND:REST` names the kind outright.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from anidata import registry
from anidata.errors import SourceError
from anidata.storage import FILE, Reference, absolute, refuse_bytes

T = TypeVar("T")


def directly(function: Callable[..., Iterator[T]], *arguments: Any) -> Iterator[T]:
    """Walk in this process: what ingest replaces by a limited worker, for whatever others wrote."""
    return function(*arguments)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a source may need to know of the recipe and the workspace."""

    base: Path  # the workspace: references without a scheme lie below it
    lines: str = "*_line.*"  # names of true lineart; * is the stem of its color picture; empty: none
    colors: str = "*_color.*"  # file names of those color pictures, tried before the bare stem
    max_bytes: int = 256 << 20  # bytes of one picture
    max_ratio: int = 200  # bytes unpacked for each byte of an archive's member, beyond the first MiB
    max_unpacked: int = 1 << 40  # bytes unpacked from one archive
    url_column: str = ""  # of a list of URLs; empty: the first that is called as such columns are
    allow_private: bool = False  # galleries in private networks and on this machine too
    line_column: str = ""  # of a table of pictures or a list of URLs: the artist's own lineart; empty: none
    # filled by a listing with the folders of anidata's own that it came upon, and took nothing from
    passed_by: set[Path] = field(default_factory=set, compare=False)
    # walks what others wrote (an archive among pictures) by a function and its arguments; raises Stopped
    walk: Callable[..., Iterator[Any]] = field(default=directly, compare=False)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One sighting of a picture, as its source lists it."""

    root: str  # what the source was opened on: a URI
    name: str  # below the root, percent-encoded
    file: str  # last path component as found, U+FFFD where it is no UTF-8
    at: Reference | None = None  # None: refused, with `error`; one to http(s) is fetched
    error: str | None = None  # a code: unsafe_name, link, device, too_large, …
    message: str | None = None
    stamp: str = ""  # changes when the file or its sidecars do: size, mtime, digest of the sidecars
    url: str | None = None
    license: str | None = None
    artist: str | None = None
    rating: str | None = None  # g, s, q, e, or as found
    tags: tuple[str, ...] = ()
    caption: str | None = None
    line: Reference | None = None  # the artist's own lineart of this very picture; fetched too from http(s)
    line_error: str | None = None  # a code: why there is none though the source names one
    referer: str | None = None  # the URL that a picture's host wants to be come from; sent to that host alone
    line_referer: str | None = None  # the same for the lineart
    extra: str | None = None  # what else the source says, as a JSON object


def require_rest(kind: str, module: ModuleType, text: str) -> None:
    """Refuse `KIND:` with nothing behind it: an empty path would be the folder that one happens to be in.

    Raises: SourceError: what to type there; not for a kind that takes nothing.
    """
    if text == f"{kind}:" and module.TAKES:
        raise SourceError(f"{text}: nothing stands behind the colon. Type {module.TAKES}: {module.EXAMPLE}")


def anchored(text: str, folder: Path) -> str:
    """A SOURCE with its path made absolute: a relative one lies below `folder`. URLs stay as they are.

    Raises: SourceError: its path is no UTF-8.
    """
    kind, colon, rest = text.partition(":")
    is_named = bool(colon) and kind in registry.names("sources")
    path = rest if is_named else text
    if not path or "://" in path:
        return text
    if is_named and not getattr(registry.load("sources", kind), "HAS_PATH", True):
        return text
    refuse_bytes(absolute(path, folder), SourceError)
    return (f"{kind}:" if is_named else "") + absolute(path, folder)


def nameless(text: str) -> str:
    """A SOURCE without paths of this machine: its kind, if it names one, and its last component."""
    kind, colon, location = text.partition(":")
    is_named = bool(colon) and kind in registry.names("sources")
    path = (location if is_named else text).removeprefix(FILE).rstrip("/")
    if "://" in path:
        path = re.split("[?#]", path)[0]  # what follows may be a secret
    return (f"{kind}:" if is_named else "") + (Path(path).name or path)
