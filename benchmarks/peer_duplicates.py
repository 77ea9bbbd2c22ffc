"""Copies as another tool finds them; run by that tool's own Python (peers.py).

    peer_duplicates.py imagededup|pdqhash|perception IMAGE_DIR RESULT_CSV [IMAGE_DIR RESULT_CSV …]

Writes file, cluster, keep. Clusters are the connected components of the pairs that a tool finds.
imagededup: PHash at its default of 10 bits of 64; dropped is what its own find_duplicates_to_remove says.
pdqhash: 31 bits of 256, and only hashes of quality 50 or more, as its makers advise; perception:
SIFT's points at its defaults, by which .6 of both pictures have to overlap. Of both the first of a cluster
is kept.
"""

import csv
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
from PIL import Image

PDQ_BITS = 31  # of 256
PDQ_QUALITY = 50  # of 100
VISION = ("", ".models", ".models.vision_transformer", ".transforms", ".transforms.functional")

# Pairs of files; what is dropped, or None: all but a cluster's first.
Copies = tuple[Iterator[tuple[str, str]], set[str] | None]


def imagededup(folder: Path) -> Copies:
    for name in VISION:  # its CNN method's, which would pull several GB; the hashes don't use it
        sys.modules[f"torchvision{name}"] = MagicMock()
    from imagededup.methods.hashing import PHash  # noqa: PLC0415

    method = PHash(verbose=False)
    codes = method.encode_images(image_dir=str(folder), num_enc_workers=2)
    copies = method.find_duplicates(encoding_map=codes, num_dist_workers=2)
    dropped = method.find_duplicates_to_remove(encoding_map=codes, num_dist_workers=2)
    return ((a, b) for a, others in copies.items() for b in others), set(dropped)


def pdqhash(folder: Path) -> Copies:
    paths = sorted(folder.iterdir())
    with multiprocessing.Pool(2) as pool:
        hashes = pool.map(_pdq, paths, chunksize=16)
    bits, quality = (np.array(column) for column in zip(*hashes, strict=True))
    distance = bits[:, None].sum(2) + bits[None].sum(2) - 2 * bits @ bits.T
    near = (distance <= PDQ_BITS) & (np.minimum.outer(quality, quality) >= PDQ_QUALITY)
    return ((paths[i].name, paths[j].name) for i, j in np.argwhere(np.triu(near, 1))), None


def perception(folder: Path) -> Copies:
    from perception import local_descriptor_deduplication as local  # noqa: PLC0415

    paths = sorted(map(str, folder.iterdir()))
    pairs = local.deduplicate(paths, use_gpu=False, max_workers=1)
    return ((Path(a).name, Path(b).name) for a, b in pairs), None


def _pdq(path: Path) -> tuple[np.ndarray, int]:
    import pdqhash  # noqa: PLC0415

    image = Image.open(path).convert("RGBA")
    page = Image.new("RGBA", image.size, (255,) * 4)
    code, quality = pdqhash.compute(np.asarray(Image.alpha_composite(page, image).convert("RGB")))
    return code.astype(np.float32), quality


TOOLS = {"imagededup": imagededup, "pdqhash": pdqhash, "perception": perception}


def main(tool: str, folder: Path, result: Path) -> None:
    pairs, dropped = TOOLS[tool](folder)
    files = sorted(p.name for p in folder.iterdir())
    parent = {name: name for name in files}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    with result.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["file", "cluster", "keep"])
        for name in files:
            keep = root(name) == name if dropped is None else name not in dropped
            out.writerow([name, root(name), keep])


if __name__ == "__main__":
    for folder, result in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
        main(sys.argv[1], Path(folder), Path(result))
