"""Trials: output folders of every relation to the inputs; no input and no file of somebody's changes."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from decoys import look
from drawings import drawing, save
from fault_trial import Trial
from fault_yard import Yard, leftovers, told

COMMANDS = ("draw", "compare", "colorize")
Given = tuple[list[Path], Path]  # pictures, and the output folder


def _same(home: Path, _: Path) -> Given:
    return [home / "in"], home / "in"


def _above(home: Path, _: Path) -> Given:
    return [home / "in"], home


def _below(home: Path, _: Path) -> Given:
    return [home / "in"], home / "in/deep"


def _new_below(home: Path, _: Path) -> Given:
    return [home / "in"], home / "in/new/lines"


def _link_to(home: Path, _: Path) -> Given:
    (home / "out").symlink_to(home / "in")
    return [home / "in"], home / "out"


def _inputs_linked(home: Path, _: Path) -> Given:
    (home / "link").symlink_to(home / "in")
    return [home / "link", home / "in/deep"], home / "in"


def _hard_link_in(home: Path, _: Path) -> Given:
    (home / "out").mkdir()
    for name in ("x.png", "0.png", "styles.png"):
        (home / "out" / name).hardlink_to(home / "in/x.png")
    return [home / "in"], home / "out"


def _link_in(home: Path, decoy: Path) -> Given:
    (home / "out").mkdir()
    (home / "out/x.png").symlink_to(home / "in/x.png")
    (home / "out/0.png").symlink_to(decoy / "a.png")
    (home / "out/styles.png").symlink_to(decoy / "nothing.png")
    return [home / "in"], home / "out"


def _folder_linked_in(home: Path, decoy: Path) -> Given:
    (home / "out").mkdir()
    (home / "out/deep").symlink_to(decoy)
    (home / "out/deeper").symlink_to(home / "in/deep")
    return [home / "in"], home / "out"


def _same_names(home: Path, _: Path) -> Given:
    return [home / "in/deep/x.jpg", home / "in/deeper/x.jpg", home / "in/x.png"], home / "out"


def _spelled_twice(home: Path, _: Path) -> Given:
    return [home / "in/x.png", home / "in/../in/x.png", home / "in"], home / "in/."


def _other_case(home: Path, _: Path) -> Given:
    save(home / "in/X.PNG", drawing(40, 48, 48))
    return [home / "in"], home / "in"


def _somebodys(home: Path, _: Path) -> Given:
    for name in ("x.png", "0.png", "styles.png", "deep/x.png", "deep/0.png.part"):
        save(home / "out" / name.removesuffix(".part"), drawing(41, 40, 40))
    (home / "out/deep/0.png").rename(home / "out/deep/0.png.part")
    return [home / "in"], home / "out"


def _in_a_work(home: Path, _: Path) -> Given:
    save(home / "work/pairs/x.png", drawing(42, 40, 40))
    (home / "work/workspace.json").write_text('{"format": 1}')
    return [home / "in"], home / "work/pairs"


def _a_file(home: Path, _: Path) -> Given:
    return [home / "in"], save(home / "out.png", drawing(43, 40, 40))


def _dangling(home: Path, decoy: Path) -> Given:
    (home / "out").symlink_to(decoy / "nothing/there")
    return [home / "in"], home / "out"


RELATIONS: dict[str, Callable[[Path, Path], Given]] = {
    "the same": _same,
    "above": _above,
    "below": _below,
    "new below": _new_below,
    "a link to it": _link_to,
    "inputs by a link": _inputs_linked,
    "hard links in": _hard_link_in,
    "links in": _link_in,
    "linked folders in": _folder_linked_in,
    "same names": _same_names,
    "spelled twice": _spelled_twice,
    "other case": _other_case,
    "somebody's files": _somebodys,
    "in a WORK": _in_a_work,
    "a file": _a_file,
    "a dangling link": _dangling,
}
RUNS = 2  # of which the last has nothing to do


def words_of(command: str, given: Given, yard: Yard) -> list[object]:
    paths, output = given
    if command == "colorize":
        return ["colorize", yard.kept / "trained", *paths, "-o", output, "--device", "cpu", "--json"]
    options = ["--compare", "--size", 32] if command == "compare" else ["--style", "xdog"]
    return ["draw", *paths, "-o", output, *options, "--json"]


def give(command: str, relation: str, overwrite: str, yard: Yard, _: random.Random) -> list[str]:
    """Run a command twice: nothing that was there changes, and the second time nothing does."""
    yard.restore()
    home = yard.home / "loose"
    shutil.copytree(yard.pile, home / "in")
    shutil.copy(yard.pile / "7.png", home / "in/x.png")
    given = RELATIONS[relation](home, yard.decoy)
    inputs = {p: look(p) for p in sorted((home / "in").rglob("*")) if p.is_file()}
    if relation == "below":  # what lies there is no input
        inputs = {p: seen for p, seen in inputs.items() if p.parent != given[1]}
    before = {p: look(p) for p in sorted(home.rglob("*")) if p.is_symlink() or not p.is_dir()}
    watch = yard.watch(home)
    troubles: list[str] = []
    for number in range(RUNS):
        ended = yard.plain(*words_of(command, given, yard), *([overwrite] if overwrite else []))
        done = json.loads(ended.out) if ended.code < 2 and ended.out else {"written": [], "skipped": []}
        troubles += told(ended) + watch.troubles() + leftovers(home)
        if number and done["written"]:
            troubles.append(f"the second run writes {done['written']}")
        safe = inputs if overwrite else before
        troubles += _changed(safe)
    return troubles


def _changed(safe: dict[Path, tuple[object, ...]]) -> list[str]:
    return [f"changed or gone: {p}" for p, seen in safe.items() if not _is(p) or look(p) != seen]


def _is(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def trials() -> Iterator[Trial]:
    for command in COMMANDS:
        for relation in RELATIONS:
            for overwrite in ("", "--overwrite"):
                make = partial(give, command, relation, overwrite)
                yield Trial("outputs", f"{command}, {relation}", make, "yard")
