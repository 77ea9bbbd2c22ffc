"""Trials: names as long as names may be, of files, folders, members of archives, outputs, and our folders."""

import io
import json
import os
import random
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import PIL.Image

from drawings import drawing
from fault_trial import Trial
from fault_yard import SET, Yard, leftovers, told

LONGEST = 255  # bytes
WRITINGS = {"ascii": "n", "accents": "é", "kana": "の", "emoji": "🖌", "no UTF-8": "\udcff"}


def long_name(letter: str, ending: str = "") -> str:
    """A name of 255 bytes, filled up with digits where the letter doesn't go into it."""
    size = LONGEST - len(ending)
    count = size // len(os.fsencode(letter))
    return letter * count + "0" * (size - count * len(os.fsencode(letter))) + ending


def _plain_save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        PIL.Image.fromarray(drawing(seed, 64, 64)).save(file, "PNG")


def _picture(seed: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(drawing(seed, 64, 64)).save(file, "PNG")
    return file.getvalue()


def ingest(letter: str, yard: Yard, _: random.Random) -> list[str]:
    """Files, folders and members of archives by such names are pictures like others."""
    yard.restore()
    pile = yard.home / "pile"
    _plain_save(pile / long_name(letter, ".png"), 0)
    _plain_save(pile / long_name(letter) / long_name(letter, ".png"), 1)
    with zipfile.ZipFile(yard.home / "a.zip", "w") as packed:
        name = long_name(letter if letter.isprintable() else "n", ".png")
        packed.writestr(name, _picture(2))
        packed.writestr(f"{name[:-4]}/{name}", _picture(3))
    with tarfile.open(yard.home / "b.tar", "w") as tar:
        for n in range(2):
            member = tarfile.TarInfo("/".join([long_name(letter)] * n + [long_name(letter, ".png")]))
            member.size = len(_picture(4 + n))
            tar.addfile(member, io.BytesIO(_picture(4 + n)))
    watch = yard.watch(yard.work)
    sources = [pile, yard.home / "a.zip", yard.home / "b.tar"]
    ended = yard.plain("run", "quickstart", yard.work, *sources, *SET, "--workers", 1, "--json")
    troubles = told(ended, 0) + watch.troubles() + leftovers(yard.work)
    funnel = json.loads(ended.out)["funnel"] if ended.code == 0 else {}
    if (funnel.get("found"), funnel.get("failed")) != (6, {}):
        troubles.append(f"not six that can be read: {funnel}")
    return troubles


def folders(letter: str, yard: Yard, _: random.Random) -> list[str]:
    """WORK, DATASET, RUN and the output folder by such names."""
    yard.restore()
    work, dataset, run, out = (yard.home / n / long_name(letter) for n in ("1", "2", "3", "4"))
    for path in (work, dataset, run, out):
        path.parent.mkdir()
    watch = yard.watch(yard.home)
    codes = (0,) if letter.isprintable() else (3,)  # no UTF-8: refused
    train = [dataset if word == yard.set else run if word == yard.run else word for word in yard.train()]
    troubles = []
    for words in (
        [*yard.make_work(work), "--dataset", dataset],
        train if letter.isprintable() else [*yard.make_work(yard.work), "--dataset", dataset],
        ["colorize", run, yard.pile, "-o", out, "--device", "cpu"],
        ["status", work],
    ):
        troubles += told(yard.plain(*words), *codes) + watch.troubles()
    draw = ["draw", yard.pile / "0.png", "-o", out / "deeper", "--style", "xdog"]
    troubles += told(yard.plain(*draw), 0) + watch.troubles()
    return troubles + leftovers(yard.home)


def outputs(command: str, letter: str, yard: Yard, _: random.Random) -> list[str]:
    """Pictures and folders by such names, two of one beginning among them, each become an output."""
    yard.restore()
    pile = yard.home / "pile"
    _plain_save(pile / long_name(letter, ".png"), 0)
    _plain_save(pile / long_name(letter, ".webp"), 1)
    _plain_save(pile / long_name(letter) / long_name(letter, ".jpeg"), 2)
    _plain_save(pile / "other" / long_name(letter, ".png"), 3)
    watch = yard.watch(yard.out)
    words = ["colorize", yard.kept / "trained"] if command == "colorize" else ["draw"]
    options = ["--device", "cpu"] if command == "colorize" else ["--style", "xdog"]
    troubles = []
    for number in range(2):
        ended = yard.plain(*words, pile, "-o", yard.out, *options, "--json")
        troubles += told(ended, 0) + watch.troubles()
        done = json.loads(ended.out) if ended.code == 0 else {}
        if done and len(done["skipped" if number else "written"]) != 4:
            troubles.append(f"run {number} made {done}")
    made = [path for path in yard.out.rglob("*") if path.is_file()]
    if len(made) != 4 or any(len(os.fsencode(path.name)) > LONGEST for path in made):
        troubles.append(f"made {made}")
    return troubles + leftovers(yard.out)


def trials() -> Iterator[Trial]:
    for name, letter in WRITINGS.items():
        yield Trial("names", f"taken in, {name}", partial(ingest, letter), "yard")
        yield Trial("names", f"our folders, {name}", partial(folders, letter), "yard")
        for command in ("draw", "colorize"):
            yield Trial("names", f"{command}, {name}", partial(outputs, command, letter), "yard")
