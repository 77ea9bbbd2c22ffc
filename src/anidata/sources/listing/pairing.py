"""Pairs in a stream of records: the artist's own lineart beside its color picture, by two patterns of names.

A stream may have millions of records, so a pair is made where its two are at most WINDOW records apart; of
several colors or linearts by one stem the nearest following counts, a color by its own pattern before one by
its bare stem. Lineart without a color is a picture like others.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from anidata.sources import Options, Record
from anidata.sources.listing.files import stem_of, stem_pattern
from anidata.sources.listing.sidecars import digest_of

# records held: the pictures of a post stand side by side, and a try-out of a few waits for no more
WINDOW = 64

Role = tuple[str, str]  # kind (LINE, COLOR, BARE) and stem
LINE, COLOR, BARE = "line", "color", "bare"


@dataclass(eq=False)
class _Held:
    record: Record
    roles: tuple[Role, ...]  # the better first
    is_claimed: bool = False  # a lineart that goes with its color, or a color that has one


def paired(named: Iterable[tuple[str, Record]], options: Options) -> Iterator[Record]:
    """Yield the records in their order, linearts with their colors.

    named: each with the name that the patterns are for.
    """
    if "*" not in options.lines:
        yield from (record for _, record in named)
        return
    lines = stem_pattern(options.lines)
    colors = stem_pattern(options.colors) if "*" in options.colors else None
    window = _Window()
    for name, record in named:
        window.add(_Held(record, _roles(name, record, lines, colors)))
        if len(window) > WINDOW:
            yield from window.leave()
    while len(window):
        yield from window.leave()


def _roles(
    name: str, record: Record, lines: re.Pattern[str], colors: re.Pattern[str] | None
) -> tuple[Role, ...]:
    if record.at is None:
        return ()
    if match := lines.match(name):
        return ((LINE, match[1]),)
    bare = (BARE, stem_of(name))
    colored = colors.match(name) if colors else None
    return ((COLOR, colored[1]), bare) if colored else (bare,)


class _Window:
    """Records that wait, the oldest first, and the same by their roles."""

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self._by_role: dict[Role, deque[_Held]] = defaultdict(deque)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, one: _Held) -> None:
        self._held.append(one)
        for role in one.roles:
            self._by_role[role].append(one)

    def leave(self) -> Iterator[Record]:
        """Let the oldest record go, and yield it unless it is a lineart that goes with a color."""
        one = self._held.popleft()
        for role in one.roles:
            self._by_role[role].popleft()
            if not self._by_role[role]:
                del self._by_role[role]
        if not one.is_claimed:
            self._pair(one)
        if not (one.is_claimed and one.roles[0][0] == LINE):
            yield one.record

    def _pair(self, one: _Held) -> None:
        for kind, stem in one.roles:
            if kind == LINE:
                color = self._first((COLOR, stem)) or self._first((BARE, stem))
                if color:
                    _join(color, one)
                    return
            elif (line := self._first((LINE, stem))) and not (kind == BARE and self._first((COLOR, stem))):
                _join(one, line)
                return

    def _first(self, role: Role) -> _Held | None:
        return next((one for one in self._by_role.get(role, ()) if not one.is_claimed), None)


def _join(color: _Held, line: _Held) -> None:
    color.is_claimed = line.is_claimed = True
    stamp = digest_of(color.record.stamp, line.record.at, line.record.stamp)
    color.record = replace(color.record, line=line.record.at, line_referer=line.record.referer, stamp=stamp)
