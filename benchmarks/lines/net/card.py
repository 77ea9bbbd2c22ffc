"""The card of the weights: what they are, how they were made, of whose pictures, and what they draw.

    python benchmarks/lines/net/card.py FILE.onnx DATA OUT.json [--figures TXT] [--pictures CSV]

TXT: what score.py printed. CSV, written: each picture of the data with artist and license.
The training's widths, seed and steps are read from the file itself.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import onnx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lines.net import onnx_file

VERSION = 1
SETS = ("pairs", "scenes", "sprites", "grounds")
ROLES = {
    "pairs": "true pairs: drawings with and without their colors",
    "scenes": "scenes drawn by code",
    "sprites": "figures whose silhouettes are contours",
    "grounds": "photos and paintings: grounds, and where nothing is to be drawn",
}
TERMS = (
    "The weights are numbers that were learned from these pictures; no picture, nor part of one, is in the "
    "file, and they are offered under the license above. The pictures stay under their own licenses; every "
    "artist is named. Some are copyleft (GPL, LGPL, CC BY-SA): whether that reaches numbers "
    "learned from them is not settled everywhere; who needs to be sure trains again without those "
    "sources, by the same commands."
)
CHANGED = "rendered or scaled to 512 px; colors, grounds, cuts, blur and noise vary while training"
HOMES = {  # by how a source's name begins
    "DiceBear": "https://www.dicebear.com",
    "dicebear": "https://www.dicebear.com",
    "Open Clip Art": "https://openclipart.org; Debian openclipart-svg",
    "OpenMoji": "https://openmoji.org",
    "streamline": "https://iconify.design; https://www.streamlinehq.com",
    "drawn by code": "benchmarks/lines/net/scenes.py",
    "scikit-image": "https://scikit-image.org",
    "emojione": "npm @iconify-json/emojione",
    "fluent-emoji": "npm @iconify-json; https://github.com/microsoft/fluentui-emoji",
    "fxemoji": "npm @iconify-json/fxemoji",
    "wapuu": "https://github.com/jawordpressorg/wapuu",
    "squishy-sachi": "https://github.com/squishy-scsi/squishy",
    "chibi-opengameart": "https://github.com/The-Magni/Game-Project; https://opengameart.org",
}
DEBIAN = "https://packages.debian.org/search?keywords={}"
CONTRACT = {
    "input": "picture: float32 (1, 3, h, w), RGB in [0, 1], h and w multiples of 16 (repeat the border)",
    "output": "ink: float32 (1, 1, h, w), opacity of ink in [0, 1]; gray = 255 * (1 - ink)",
    "equal": "cv2.dnn, onnxruntime and torch to 1e-5; the last bits depend on processor and version",
}


def rows_of(data: Path) -> list[dict[str, str]]:
    """Every picture of the data: set, name, source, artist, license; once, however many its tiles are."""
    every = {}
    for name in SETS:
        with (data / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                every.setdefault((name, row["source"], row["name"]), {"set": name, **row})
    return [
        {key: row[key] for key in ("set", "name", "source", "artist", "license")} for row in every.values()
    ]


def sources(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The data by source and license: how many pictures, and all the artists."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[row["set"], row["source"], row["license"]].append(row["artist"])
    return [
        {
            "used as": ROLES[name],
            "source": source,
            "home": _home(source),
            "license": terms,
            "pictures": len(artists),
            "artists": sorted({artist or "not named in the file" for artist in artists}),
        }
        for (name, source, terms), artists in sorted(groups.items())
    ]


def _home(source: str) -> str:
    """Where a source comes from; one without a place of its own is a Debian package."""
    named = (home for start, home in HOMES.items() if source.startswith(start))
    return next(named, DEBIAN.format(source))


def card(file: bytes, rows: list[dict[str, str]], figures: list[str], code: str = "") -> dict[str, Any]:
    """All of it."""
    training = {p.key: p.value for p in onnx.load_model_from_string(file).metadata_props}
    return {
        "version": VERSION,
        "sha256": hashlib.sha256(file).hexdigest(),
        "bytes": len(file),
        "license": "MIT",
        "copyright": "2026 the anidata developers",
        "terms": TERMS,
        "what became of the pictures": CHANGED,
        "format": f"ONNX, opset {onnx_file.OPSET}",
        **CONTRACT,
        "training": {
            key: int(value) if value.isdigit() else value for key, value in sorted(training.items())
        },
        "code": code,
        "figures": figures,
        "data": sources(rows),
    }


def main() -> None:
    """Write the card, and the list of the pictures."""
    parser = argparse.ArgumentParser(description="The card of the weights.")
    parser.add_argument("file", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--code", default="", help="the commit that made data and weights")
    args = parser.parse_args()
    rows = rows_of(args.data)
    figures = args.figures.read_text(encoding="utf-8").splitlines() if args.figures else []
    text = json.dumps(card(args.file.read_bytes(), rows, figures, args.code), indent=1, ensure_ascii=False)
    args.out.write_text(text + "\n", encoding="utf-8")
    if args.pictures:
        with args.pictures.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
