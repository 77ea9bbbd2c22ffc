"""A data set whose pictures have other sizes: its tars written anew, all else as it was."""

import json
import shutil
from itertools import groupby

import cv2

from anidata.imaging import encode
from anidata.tar.writer import TarWriter, index_text, members, split_name
from drawings import drawing


def resized(dataset, folder, shapes):
    """A copy of a data set whose n-th sample of each tar has the n-th shape (height, width), over and over.

    Its manifest stays, so that runs know it for theirs.
    """
    shutil.copytree(dataset, folder)
    sizes = {}
    for tar in sorted((folder / "data").glob("*.tar")):
        contents = _contents(tar)
        with open(tar, "wb") as file:
            writer = TarWriter(file)
            written = [writer.add(*member) for member in _members(contents, shapes)]
            sizes[tar.name] = writer.close()
        (folder / f"index/{tar.stem}.idx").write_text(index_text(written))
    _describe(folder / "index/shardindex.json", sizes)
    return folder


def _contents(tar):
    whole = tar.read_bytes()
    with open(tar, "rb") as file:
        return {m.name: whole[m.offset : m.offset + m.size] for m in members(file)}


def _members(contents, shapes):
    """The samples' files, with other pictures."""
    for number, (key, names) in enumerate(groupby(contents, key=lambda name: split_name(name)[0])):
        height, width = shapes[number % len(shapes)]
        color = cv2.resize(drawing(number, 64, 64), (width, height), interpolation=cv2.INTER_AREA)
        color = color.reshape(height, width, 3)
        files = {split_name(name)[1]: contents[name] for name in names}
        yield f"{key}.color.png", encode.encode_png(color)
        yield f"{key}.json", files["json"]
        yield f"{key}.lineart.png", encode.encode_line(color.min(axis=2))


def _describe(path, sizes):
    """Have the index say how large the tars are now."""
    index = json.loads(path.read_bytes())
    for entry in index["shardlist"]:
        entry["filesize"] = sizes[entry["url"].rpartition("/")[2]]
    path.write_text(json.dumps(index))
