"""Make the data that the network is trained on: pairs, scenes, sprites and grounds, and where each is from.

    python benchmarks/lines/net/make_data.py OUT --modules NODE_MODULES --clip-art DIR --debian DIR

NODE_MODULES: with @dicebear/core and collection 9.4.3, @resvg/resvg-js, openmoji 17.0.0, and of
@iconify-json streamline-emojis and streamline-freehand-color (npm). DIR: Debian's openclipart-svg, and
lomiri-wallpapers-16.04, -20.04 and plasma-workspace-wallpapers, unpacked. Sprites and paintings: the half
to fit on (lines/pictures.py).

OUT/pairs.npy, scenes.npy, sprites.npy: uint8 (n, 512, 512, 5): RGB, opacity of ink, opacity of the figure
(of scenes: 255 where the truth is known). OUT/grounds.npy: uint8 (n, 512, 512, 3). OUT/SET.csv: of each its
index, name, source, artist and license. The same sources give the same bytes. Takes some 10 minutes.
"""

import argparse
import csv
import multiprocessing
import sys
import tempfile
from collections.abc import Iterable
from multiprocessing.pool import Pool
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lines import pictures
from lines.net import drawings, grounds, scenes

SCENES, BATCH = 480, 40
ARTISTS = {  # of the sprites' packages
    "chibi-opengameart": "chibi sprites of OpenGameArt in The-Magni's Game-Project, as its README names them",
    "fluent-emoji": "Microsoft",
    "fluent-emoji-flat": "Microsoft",
    "emojione": "Emoji One",
    "fxemoji": "Mozilla, Sabrina Smelko and others",
    "tuxtype-data": "Tux4Kids",
    "dicebear-croodles": "vijay verma",
    "dicebear-lorelei": "Lisa Wischofsky",
    "supertux-data": "the SuperTux team",
    "wapuu": "Kazuko Kaneuchi and the Wapuu archive's artists",
    "wesnoth-1.16-data": "the Battle for Wesnoth's artists",
    "frozen-bubble-data": "Alexis Younès, Amaury Amblard-Ladurantie",
    "freedroidrpg-data": "the FreedroidRPG team",
    "endless-sky-data": "Michael Zahniser and Endless Sky's artists",
    "teeworlds-data": "Magnus Auvinen and Teeworlds' artists",
    "freecol": "the FreeCol team",
    "krita-data": "the Krita foundation, David Revoy and others",
    "hedgewars-data": "the Hedgewars project",
    "squishy-sachi": "electrichearts",
}
Row = tuple[str, str, str, str]  # name, source, artist, license


def main() -> None:
    """Make all four."""
    parser = argparse.ArgumentParser(description="The data of the network.")
    parser.add_argument("out", type=Path)
    for name in ("--modules", "--clip-art", "--debian"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(MAKERS), default=list(MAKERS))
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    with multiprocessing.Pool(args.processes, cv2.setNumThreads, (1,)) as pool:
        for name in args.only:
            made = list(MAKERS[name](args, pool))
            np.save(args.out / f"{name}.npy", np.stack([array for array, _ in made]))
            rows = [(index, *row) for index, (_, row) in enumerate(made)]
            with (args.out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("index", "name", "source", "artist", "license"), *rows])
            print(name, len(made), flush=True)


def _grounds(args: argparse.Namespace, _: Pool) -> Iterable[tuple[np.ndarray, Row]]:
    import skimage  # noqa: PLC0415

    for of in grounds.listed(pictures.ART, args.debian, Path(skimage.__file__).parent / "data"):
        for tile in grounds.tiles(of.path):
            yield tile, (of.name, of.source, of.artist, of.license)


def _sprites(_: argparse.Namespace, __: Pool) -> Iterable[tuple[np.ndarray, Row]]:
    with (pictures.ART / "sprites/split.csv").open(newline="", encoding="utf-8") as file:
        terms = {row["package"]: row["license"] for row in csv.DictReader(file)}
    for sprite in pictures.sprites(1):
        rgba = pictures.opened_sprite(sprite.path) if sprite.half == "fit" else None
        if rgba is not None:
            package = sprite.path.parent.name
            page = np.dstack([rgba[..., :3], np.zeros(rgba.shape[:2], np.uint8), rgba[..., 3]])
            yield _centered(page), (sprite.path.name, package, ARTISTS[package], terms[package])


def _centered(page: np.ndarray) -> np.ndarray:
    square = np.zeros((drawings.SIDE, drawings.SIDE, 5), np.uint8)
    top, left = ((drawings.SIDE - side) // 2 for side in page.shape[:2])
    square[top : top + page.shape[0], left : left + page.shape[1]] = page
    return square


def _scenes(args: argparse.Namespace, pool: Pool) -> Iterable[tuple[np.ndarray, Row]]:
    jobs = [(seed, str(args.out / "grounds.npy")) for seed in range(SCENES)]
    for seed, array in enumerate(pool.imap(_scene, jobs, chunksize=8)):
        yield array, (f"scene-{seed}", "drawn by code", "anidata", "MIT")


def _scene(job: tuple[int, str]) -> np.ndarray:
    seed, path = job
    ground = grounds.made(np.random.default_rng((seed, 1)), np.load(path, mmap_mode="r"))
    return scenes.scene(seed, ground)


def _pairs(args: argparse.Namespace, pool: Pool) -> Iterable[tuple[np.ndarray, Row]]:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        every = list(
            drawings.drawings(args.modules, args.clip_art, pictures.SHARED / "data/lineart", scratch)
        )
        batches = [every[n : n + BATCH] for n in range(0, len(every), BATCH)]
        jobs = [(batch, args.modules, scratch / str(n)) for n, batch in enumerate(batches)]
        for batch, arrays in zip(batches, pool.imap(_rendered, jobs), strict=True):
            for of, array in zip(batch, arrays, strict=True):
                if array is not None:
                    yield array, (of.name, of.source, of.artist, of.license)


def _rendered(job: tuple[list[drawings.Drawing], Path, Path]) -> list[np.ndarray | None]:
    batch, modules, scratch = job
    scratch.mkdir()
    files = [(scratch / f"{n}-color.png", scratch / f"{n}-line.png") for n in range(len(batch))]
    drawings.render(
        [
            {"svg": text, "out": str(path), "width": of.width}
            for of, paths in zip(batch, files, strict=True)
            for text, path in zip((of.color, of.line), paths, strict=True)
        ],
        modules,
    )
    arrays = [drawings.opened(*paths) if all(p.exists() for p in paths) else None for paths in files]
    for paths in files:
        for path in paths:
            path.unlink(missing_ok=True)
    return arrays


MAKERS = {"grounds": _grounds, "sprites": _sprites, "scenes": _scenes, "pairs": _pairs}

if __name__ == "__main__":
    main()
