"""The settings that people set by hand, over those of a recipe; and what a command changes in a workspace.

Settings are leaves: by their paths, see `recipe.leaves`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from anidata import recipe
from anidata.recipe import Leaves

BY_HAND, OLDER = "set by hand", "as this workspace had it"
TABLES = ("by_hand", "beneath", "older")  # of WORK/settings.toml
ENDS = "(--reset: by the recipe alone)"


@dataclass(frozen=True)
class Layers:
    """What a workspace knows of its settings: the recipe's own, and above them what was set by hand.

    Between them: what an older version's workspace has other than its recipe, set by hand or not. Until a
    recipe is named, nobody knows which settings those are, and all stand there.
    """

    own: Leaves
    by_hand: Leaves
    older: Leaves = field(default_factory=dict)

    @property
    def whole(self) -> Leaves:
        return self.own | self.above

    @property
    def above(self) -> Leaves:
        """The settings that stand over those of a recipe."""
        return self.older | self.by_hand

    @property
    def document(self) -> recipe.Document:
        """For the workspace: what stands over the recipe, and what that has in its stead."""
        beneath = {path: value for path, value in self.own.items() if path in self.above}
        tables = {"by_hand": self.by_hand, "beneath": beneath} | ({"older": self.older} if self.older else {})
        return {name: recipe.planted(leaves) for name, leaves in tables.items()}

    def reset(self) -> "Layers":
        """The recipe's own alone; where nobody knows it, what the workspace had."""
        return Layers(self.older | self.own, {})

    def why(self, path: tuple[str, ...]) -> str:
        """Why a setting stands over the recipe's."""
        return BY_HAND if path in self.by_hand else OLDER


@dataclass(frozen=True)
class Change:
    """A setting that a command changes in a workspace; or leaves, though the recipe says otherwise."""

    setting: str  # clean.min_side
    before: Any
    after: Any
    recipe: Any  # the recipe's own value
    why: str = ""  # it stays

    def words(self, name: str) -> str:
        if self.why:
            return f"{name} {recipe.shown(self.after)} stays, {self.why}"
        return f"{name} {recipe.shown(self.before)} → {recipe.shown(self.after)}"

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def remembered(last: Leaves, by_hand: Leaves, beneath: Leaves, older: Leaves) -> Layers:
    """The layers of a workspace by its last settings, of which by_hand are as they were set."""
    own = {path: value for path, value in last.items() if path not in by_hand and path not in older}
    return Layers(own | beneath, by_hand, {path: last.get(path, value) for path, value in older.items()})


def beneath_recipe(own: Leaves, by_hand: Leaves, beneath: Leaves, older: Leaves) -> Layers:
    """The layers once a recipe is named: whether a setting is its own is known by now."""
    differing = {
        p: value for p, value in older.items() if p in beneath or _plain(own.get(p)) != _plain(value)
    }
    return Layers(own, by_hand, differing)


def adopted(own: Leaves | None, last: Leaves) -> Layers:
    """The layers of a workspace that an older version made: going on redoes nothing.

    own: of the recipe that is named; None: none is.
    """
    if own is None:
        return Layers({}, {}, last)
    differing = {path: value for path, value in last.items() if own.get(path) != value}
    return Layers({path: value for path, value in own.items() if path in last}, {}, differing)


def assigned(layered: Layers, settings: Sequence[str], after: Leaves, final: Leaves) -> Layers:
    """The layers once settings are assigned.

    after: all settings then, with what was assigned besides. final: the same with what was pinned.
    """
    paths, whole = _paths(settings), layered.whole
    set_now = {path for path in after if path not in whole or whole[path] != after[path]}
    by_hand = {p for p in after if p in layered.by_hand or p in set_now or _is_named(p, paths)}
    tables = {path[:-1] for path in by_hand}
    by_hand |= {p for p in final if p[:-1] in tables and (p not in after or after[p] != final[p])}  # its pin
    own = {path: value for path, value in layered.older.items() if path in by_hand} | layered.own
    older = {path: value for path, value in layered.older.items() if path not in by_hand}
    return Layers(own, {path: final[path] for path in final if path in by_hand}, older)


def standing(layered: Layers, settings: Sequence[str]) -> list[tuple[str, ...]]:
    """The paths of what stood over the recipe before, and isn't set anew."""
    paths = _paths(settings)
    return [path for path in layered.above if not _is_named(path, paths)]


def changes(last: Leaves, layered: Layers, after: Leaves, stand: Collection[tuple[str, ...]]) -> list[Change]:
    """The settings that are other than they were, and those that stay though a recipe says otherwise.

    stand: paths of what is told where the recipe says otherwise.
    """
    listed = []
    for path in dict.fromkeys((*after, *last)):
        before, now, own = (settings.get(path) for settings in (last, after, layered.own))
        if before != now:
            listed.append(Change(".".join(path), before, now, own))
        elif path in stand and own != now:
            listed.append(Change(".".join(path), before, now, own, layered.why(path)))
    return listed


def line(listed: Iterable[Change], settings: Leaves) -> str:
    """The changes in one line: a setting by its last name, where no other has that."""
    counts = Counter(path[-1] for path in settings)
    listed = list(listed)
    words = "; ".join(change.words(_short(change.setting, counts)) for change in listed)
    return f"{words} {ENDS}" if any(change.why in (BY_HAND, OLDER) for change in listed) else words


def _short(setting: str, counts: Counter[str]) -> str:
    last = setting.rpartition(".")[2]
    return last if counts[last] < 2 else setting


def _plain(value: Any) -> Any:
    """A value as TOML has it."""
    return list(value) if isinstance(value, tuple) else value


def _paths(settings: Sequence[str]) -> list[tuple[str, ...]]:
    """The paths that --set names."""
    return [tuple(text.partition("=")[0].strip().split(".")) for text in settings]


def _is_named(path: tuple[str, ...], named: Iterable[tuple[str, ...]]) -> bool:
    """Whether one of the named paths leads to a path, or through it."""
    return any(path[: len(one)] == one[: len(path)] for one in named)
