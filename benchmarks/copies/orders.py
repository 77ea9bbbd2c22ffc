"""Pairs (original, copy) under conditions that must not matter: is it the same one that stays?

In each condition all pairs lie in one workspace, where the others are the distractors, but for `alone`: there
each pair has a workspace of its own. What is changed, and nothing else: the order in which
the two are ingested; the bytes of the original or of the copy, to more by a note within the file, the pixels
being the same; both formats, to lossless ones of the same pixels; or the original to a JPEG and its copy to a
PNG, which changes the original's pixels too.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, PngImagePlugin

from anidata.engine.engine import Engine
from copies import running, scoring
from copies.making import QUALITY, Copy
from copies.stated import TRANSFORMS
from copies.transform import generator

MORE = 60_000  # bytes of a note
Save = Callable[[Path, Path], None]


class Pair(NamedTuple):
    original: Copy
    copy: Copy


class Outcome(NamedTuple):
    """Who stays of a pair, condition by condition."""

    pair: Pair
    stays: dict[str, str]  # condition → original, copy, both, neither

    @property
    def is_one(self) -> bool:
        return len(set(self.stays.values())) == 1


def pairs(made: Sequence[Sequence[Copy]], count: int) -> list[Pair]:
    """So many pairs, each of another original, whose copy should go: by each transform in turn."""
    names = [one.name for one in TRANSFORMS.values() if one.keeper == "original" and one.drop]
    chosen, turn = [], 0
    for copies in made:
        by_name = {copy.transform: copy for copy in copies if not copy.equal}
        wanted = [names[(turn + n) % len(names)] for n in range(len(names))]
        name = next((name for name in wanted if name in by_name), None)
        if name and len(chosen) < count:
            turn = (names.index(name) + 1) % len(names)
            chosen.append(Pair(copies[0], by_name[name]))
    return chosen


def outcomes(chosen: Sequence[Pair], made: Path, folder: Path, engine: Engine) -> list[Outcome]:
    """Run all conditions; those that lie in the folder already are done."""
    stays: dict[str, dict[str, str]] = {}
    for condition, (for_original, for_copy) in CONDITIONS.items():
        sources = [folder / "artist", folder / "found"]
        result = folder / f"{condition}.csv"
        if not result.exists():
            _write(chosen, made, sources, for_original, for_copy)
        ordered = sources[::-1] if condition == "copy first" else sources
        stays[condition] = _stays(running.anidata(result, ordered, engine))
    stays["alone"] = _alone(chosen, made, folder, engine)
    return [
        Outcome(
            pair, {condition: names[pair.copy.file.rsplit(".", 1)[0]] for condition, names in stays.items()}
        )
        for pair in chosen
    ]


def _write(chosen: Sequence[Pair], made: Path, sources: Sequence[Path], *saves: Save) -> None:
    for source, save, which in zip(sources, saves, ("original", "copy"), strict=True):
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir(parents=True)
        for pair in chosen:
            copy: Copy = getattr(pair, which)
            # Named after the pair: an original's file and its copy's tell of each other.
            name = f"{pair.copy.file.rsplit('.', 1)[0]}{'_orig' if which == 'original' else ''}"
            save(made / copy.source / copy.file, source / f"{name}.{copy.file.rsplit('.', 1)[1]}")


def _stays(rows: Sequence[running.Row]) -> dict[str, str]:
    """Name of a pair → who stays."""
    kept = {row["file"].rsplit("/", 1)[-1].rsplit(".", 1)[0]: scoring.kept(row) for row in rows}
    words = {
        (True, False): "original",
        (False, True): "copy",
        (True, True): "both",
        (False, False): "neither",
    }
    return {
        name[: -len("_orig")]: words[kept[name], kept[name[: -len("_orig")]]]
        for name in kept
        if name.endswith("_orig")
    }


# --- files of the same pixels -------------------------------------------------------------------------------


def same(source: Path, target: Path) -> None:
    target.hardlink_to(source)


def more(source: Path, target: Path) -> None:
    """The same pixels in a file of more bytes."""
    data = source.read_bytes()
    if data[:2] == b"\xff\xd8":
        note = generator(source.name, "note").bytes(MORE)
        target.write_bytes(data[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + data[2:])
    elif source.suffix == ".png":
        note = PngImagePlugin.PngInfo()
        note.add_text("Comment", generator(source.name, "note").bytes(MORE // 2).hex())
        with Image.open(source) as image:
            image.save(target, pnginfo=note, compress_level=1)
    else:
        lossless(source, target)


def lossless(source: Path, target: Path) -> None:
    """The same pixels in a lossless file of another kind: WebP for a PNG, PNG for all else."""
    with Image.open(source) as image:
        if source.suffix == ".png":
            image.convert("RGB").save(target.with_suffix(".webp"), lossless=True)
        else:
            image.convert("RGB").save(target.with_suffix(".png"))


def jpeg(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(target.with_suffix(".jpg"), quality=QUALITY)


def png(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(target.with_suffix(".png"))


CONDITIONS: dict[str, tuple[Save, Save]] = {
    "as made": (same, same),
    "copy first": (same, same),
    "original larger": (more, same),
    "copy larger": (same, more),
    "both lossless": (lossless, lossless),
    "JPEG and PNG": (jpeg, png),
}


# --- alone --------------------------------------------------------------------------------------------------


def _alone(chosen: Sequence[Pair], made: Path, folder: Path, engine: Engine) -> dict[str, str]:
    """Each pair in a workspace of its own."""
    home = folder / "alone"
    home.mkdir(exist_ok=True)
    rows: list[running.Row] = []
    for pair in chosen:
        result = home / f"{pair.copy.file}.csv"
        sources = [home / "artist", home / "found"]
        if not result.exists():
            _write([pair], made, sources, same, same)
        rows += running.anidata(result, sources, engine)
    return _stays(rows)
