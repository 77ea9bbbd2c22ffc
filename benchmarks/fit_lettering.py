"""Fit the small network that tells which way lettering reads (anidata.duplicates.lettering).

    python benchmarks/fit_lettering.py [--pictures 10000] [--steps 12000]

Text in fonts of Debian packages (benchmarks/letters/fonts.py; fetched, not installed) is written on free art
of half `fit` (benchmarks/art.py has to have collected it). What is seen as lines of letters there is read or
mirrored by a coin; lines seen where nothing is written are nothing. Writes the weights into the package.
"""

import argparse
import csv
import hashlib
import json
import multiprocessing
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import lettering, strokes
from compare_copies import ART
from copies import originals
from letters import fonts, writing
from letters import net as letters_net
from letters.net import NOTHING, TEXT, Net, Strip

FONTS = ART.parent.parent / "fonts"
WORDLESS = (
    *(
        "openmoji",
        "iconify-json+fluent-emoji",
        "iconify-json+fxemoji",
        "iconify-json+streamline-freehand-color",
    ),
    *("dicebear+adventurer", "dicebear+croodles", "dicebear+dylan", "dicebear+lorelei", "wesnoth-1.16-data"),
    *("wesnoth-1.16-utbs", "wesnoth-1.16-trow", "wesnoth-1.16-httt", "wesnoth-1.16-sota", "wesnoth-1.16-did"),
    *("wesnoth-1.16-sof", "wesnoth-1.16-dw", "wesnoth-1.16-low", "wesnoth-1.16-dm", "wesnoth-1.16-nr"),
    *(
        "supertux-data",
        "hedgewars-data",
        "enigma-data",
        "freedroidrpg-data",
        "fillets-ng-data",
        "warmux-data",
    ),
    *(
        "widelands-data",
        "boswars-data",
        "freedink-data",
        "pathological",
        "frozen-bubble-data",
        "mate-backgrounds",
    ),
    *("pekka-kana-2-data", "plasma-workspace-wallpapers", "lomiri-wallpapers-16.04", "pioneers-data"),
    *("openclipart-png", "teeworlds-data", "tuxpaint-stamps-default", "wizznic-data", "gigalomania-data"),
)
TERMS = (
    "The weights are numbers that were learned from text written in these fonts on these pictures; neither a "
    "glyph nor a picture, nor part of one, is in the file, and they are offered under the license above. "
    "Fonts and pictures stay under their own licenses. Some are copyleft (GPL, LGPL, CC BY-SA): whether "
    "that reaches numbers learned from them is not settled everywhere; who needs to be sure fits again "
    "without them."
)
FITTED = "see the code"  # how, where it isn't as the code goes
SURE = 0.8
Labeled = tuple[list[Strip], list[int]]


def grounds() -> list[Path]:
    """Pictures of half `fit` on which hardly any text is."""
    some = (path for name in WORDLESS for path in (ART / "fit" / name).rglob("*"))
    return sorted(path for path in some if path.suffix.lower() in originals.SUFFIXES)


def strips(seed: int, where: list[Path], letters: list[Path]) -> Labeled:
    """Strips of one picture, of each third one without text: those of the text, and those of nothing."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    ground = originals.opened(where[int(rng.integers(len(where)))])
    if ground is None:
        return [], []
    written = writing.write(ground.convert("RGB"), letters if seed % 3 else [], rng)
    seen, labels = [], []
    for line in strokes.lines(np.asarray(written.image)):
        left, top, right, bottom = line.box
        share = float(written.where[top:bottom, left:right].mean())
        if share > 0.6 or share < 0.02:
            seen.append(line.strip)
            labels.append(TEXT if share > 0.6 else NOTHING)
    return seen, labels


def made(count: int, letters: list[Path], first: int) -> Labeled:
    where = grounds()
    with multiprocessing.Pool(2) as pool:
        each = pool.imap(partial(strips, where=where, letters=letters), range(first, first + count), 32)
        seen, labels = [], []
        for some, theirs in each:
            seen += some
            labels += theirs
    return seen, labels


def report(net: Net, seen: list[Strip], labels: NDArray[np.int64]) -> None:
    """Print how strips in fonts that it was not fitted to are read."""
    chances, classes = letters_net.chances(net, seen, labels)
    for kind, name in enumerate(("this way", "mirrored", "nothing")):
        mine = chances[classes == kind]
        print(f"{name:10} {len(mine):6} of which said to be so, mirrored or nothing:", mine.mean(0).round(3))
    text, its = chances[classes < 2], classes[classes < 2]
    right, wrong = text[np.arange(len(its)), its], text[np.arange(len(its)), 1 - its]
    print(f"of text surely right {np.mean(right > SURE):.3f}, surely wrong {np.mean(wrong > SURE):.4f}")
    print(f"of nothing surely text {np.mean(chances[classes == 2, :2].max(1) > SURE):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pictures", type=int, default=10000)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--data", type=Path, default=FONTS / "strips.npz")
    args = parser.parse_args()
    if not args.data.exists():
        keep(args.data, *made(args.pictures, fonts.files(FONTS, tuple(fonts.FITTED)), 0))
    seen, labels = kept(args.data)
    print(len(seen), "strips,", int((labels == TEXT).sum()), "of text", flush=True)
    other = args.data.with_name("others.npz")
    if not other.exists():
        keep(other, *made(500, fonts.files(FONTS, fonts.KEPT_APART), 10**6))
    net = letters_net.fit(seen, labels, args.steps)
    report(net, *kept(other))
    save(net)


def keep(path: Path, seen: list[Strip], labels: list[int]) -> None:
    widths = [strip.shape[1] for strip in seen]
    np.savez_compressed(path, pixels=np.concatenate(seen, axis=1), widths=widths, labels=labels)


def kept(path: Path) -> tuple[list[Strip], NDArray[np.int64]]:
    with np.load(path) as file:
        pixels, ends, labels = file["pixels"], np.cumsum(file["widths"]), file["labels"]
    return np.split(pixels, ends[:-1], axis=1), labels


def save(net: Net) -> None:
    """Write the weights as the package has them."""
    arrays = {}
    for n, (weight, bias) in enumerate(letters_net.folded(net)):
        arrays[f"weight{n}"] = weight.detach().numpy().astype(np.float16)
        arrays[f"bias{n}"] = bias.detach().numpy()
    np.savez_compressed(lettering.WEIGHTS, **arrays)
    data = lettering.WEIGHTS.read_bytes()
    lettering.WEIGHTS.with_suffix(".json").write_text(json.dumps(card(data), indent=1) + "\n")
    print(lettering.WEIGHTS, len(data), "bytes")


def card(data: bytes) -> dict[str, object]:
    """What the weights are, and what they were fitted to."""
    with (Path(__file__).with_name("art.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    licenses = {row["package"].removeprefix("@").replace("/", "+"): row["license"] for row in rows}
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "license": "MIT",
        "copyright": "2026 the anidata developers",
        "terms": TERMS,
        "code": "benchmarks/fit_lettering.py",
        "fitted": FITTED,
        "fonts": dict(fonts.FITTED),
        "pictures": {name: licenses[name] for name in WORDLESS},
    }


if __name__ == "__main__":
    main()
