"""How much of a picture's ink a square cut keeps: where the ink is, and in the center.

    python benchmarks/crop_by_ink.py [FOLDER …]

Of the bundled art, and of pictures of folders (or of SHARED/data/dups/originals).
Of the pictures that aren't square, each is drawn whole in the style `ink`, short side 512 px;
counted is the share of them of which a cut keeps at least .9 of the ink.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from anidata import registry
from anidata.errors import BadImage
from anidata.imaging import decode, fit
from anidata.lineart import postprocess
from anidata.lineart.styles import ink
from anidata.stages.extract_lineart.drawing import anchored
from bench import SHARED

SIDE, LIMIT, KEPT = 512, 100_000_000, 0.9
ENDINGS = {".png", ".jpg", ".webp"}


def main() -> None:
    options = argparse.ArgumentParser(description="Crop by ink beside crop at the center.")
    options.add_argument(
        "folders", nargs="*", type=Path, default=[registry.PACKAGE / "art", SHARED / "data/dups/originals"]
    )
    shares = np.array(
        [share for folder in options.parse_args().folders if folder.is_dir() for share in _shares(folder)]
    )
    by_ink, centered = (shares >= KEPT).mean(axis=0)
    print(f"{len(shares)} pictures")
    print(f"at least {KEPT} of the ink kept: by ink {by_ink:.3f}, centered {centered:.3f}")
    print(f"ink kept on average: by ink {shares[:, 0].mean():.3f}, centered {shares[:, 1].mean():.3f}")


def _shares(folder: Path) -> Iterator[tuple[float, float]]:
    """Of each picture that isn't square, the share of ink that stays: cut by ink, and centered."""
    for path in sorted(p for p in folder.iterdir() if p.suffix in ENDINGS):
        try:
            rgb = decode.decode(path.read_bytes(), LIMIT).rgb
        except BadImage:
            continue
        scale = SIDE / min(rgb.shape[:2])
        height, width = (round(side * scale) for side in rgb.shape[:2])
        drawn = ink.draw(fit.resize(rgb, width, height, "area"), ink.Config()) < postprocess.INK
        if height != width and drawn.any():
            yield tuple(_kept(drawn, at) for at in (anchored(rgb, (SIDE, SIDE)), 0.5))


def _kept(drawn: np.ndarray, at: float) -> float:
    top, left = (int(at * (side - SIDE)) for side in drawn.shape)
    return float(drawn[top : top + SIDE, left : left + SIDE].sum() / drawn.sum())


if __name__ == "__main__":
    main()
