"""load_dataset of a URL: a stream through webdataset, and what can be wrong.

From a real server on this machine, fsspec's memory, and a program.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import anidata
from anidata.errors import AnidataError, DatasetError, FormatError, MissingExtra, UnknownPart
from loading_lab import Handler, assert_same, build, raw, seen, serving, tars

pytest.importorskip("webdataset")
from anidata.dataset import stream as dataset_stream


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("stream"))


@pytest.fixture(scope="module")
def url(dataset) -> str:
    with serving(dataset.parent) as root:
        yield f"{root}/dataset"


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    """A data set to damage."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))


def keys(samples: Any) -> list[str]:
    return [sample["key"] for sample in samples]


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("styles", "read"), [(None, ("xdog",)), (["canny", "xdog"], ("canny", "xdog")), ((), ())]
)
def test_a_stream_gives_what_tarfile_and_pillow_find_in_the_order_of_the_tars(dataset, url, styles, read):
    stream, expected = anidata.load_dataset(url, styles=styles), raw(dataset)
    assert len(stream) == len(expected)
    assert stream.styles == ("xdog", "canny")
    for sample, files in zip(stream, expected.values(), strict=True):
        assert_same(sample, seen(files), read)


def test_an_epoch_is_shuffled_as_seed_and_epoch_say_and_goes_on_where_it_was_left(dataset, url):
    stream = anidata.load_dataset(url)
    epochs = [keys(stream.shuffled(seed, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert all(sorted(order) == sorted(raw(dataset)) for order in epochs)
    assert len({tuple(order) for order in [*epochs, list(raw(dataset))]}) == 4
    assert keys(anidata.load_dataset(url).shuffled(0, 1)) == epochs[1]
    assert keys(stream.shuffled(0, 1, start=5)) == epochs[1][5:]


@pytest.mark.parametrize("seed", [None, 3])
def test_ranks_and_workers_read_disjoint_parts_that_make_an_epoch_whole(dataset, url, seed):
    stream = anidata.load_dataset(url)
    ranks = [stream.shuffled(3, 0, rank, 2) for rank in range(2)] if seed else [stream]
    parts = [keys(of.read(worker, 2)) for of, worker in product(ranks, range(2))]
    assert all(parts)
    assert Counter(key for part in parts for key in part) == Counter(dict.fromkeys(raw(dataset), 1))
    assert [len(of) for of in ranks] == [sum(map(len, parts[n : n + 2])) for n in range(0, len(parts), 2)]


LOADERS = """
import json, sys
import anidata
from torch.utils.data import DataLoader

def keys(samples):
    return [sample["key"] for sample in samples]

stream = anidata.load_dataset(sys.argv[1]).shuffled(1, 2)

def read(workers):
    return [key for batch in DataLoader(stream, 2, num_workers=workers, collate_fn=keys) for key in batch]

answers = [read(workers) for workers in (0, 1, 2)]
try:
    read(int(sys.argv[2]))
except anidata.errors.DatasetError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_a_dataloader_s_workers_share_a_stream_and_more_of_them_than_shards_are_told(dataset, url):
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", LOADERS, url, str(len(tars(dataset)) + 1)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *orders, message = json.loads(done.stdout)
    assert [sorted(read) for read in orders] == [sorted(raw(dataset))] * 3
    assert orders[0] == orders[1]
    assert f"has {len(tars(dataset))} shards for {len(tars(dataset)) + 1} loaders" in message


def test_fsspec_reads_what_it_knows(dataset):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for path in dataset.rglob("*.*"):
        memory.pipe(f"/bucket/{path.relative_to(dataset)}", path.read_bytes())
    assert keys(anidata.load_dataset("memory://bucket")) == list(raw(dataset))


def test_webdataset_s_programs_read_what_they_know(dataset, tmp_path, monkeypatch):
    """gs:// is `gsutil cat`; this one reads a folder."""
    program = tmp_path / "gsutil"
    program.write_text(f'#!/bin/sh\nexec cat "{dataset}/${{2#gs://bucket/}}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert keys(anidata.load_dataset("gs://bucket")) == list(raw(dataset))
    with pytest.raises(DatasetError, match=r"gs://bucket/nowhere: manifest\.json can't be read: .*exit 1"):
        anidata.load_dataset("gs://bucket/nowhere")


def test_a_query_stays_behind_the_path(dataset):
    asked = []

    class Keeper(Handler):
        def send_head(self) -> Any:
            asked.append(self.path)
            return super().send_head()

    with serving(dataset, Keeper) as root:
        next(iter(anidata.load_dataset(f"{root}/?key=a/b")))
    assert asked[:3] == [
        "/manifest.json?key=a/b",
        "/index/shardindex.json?key=a/b",
        f"/data/{tars(dataset)[0].name}?key=a/b",
    ]


# --- what can be wrong --------------------------------------------------------------------------------------


class Cutting(Handler):
    """Breaks off in the middle of a tar: the first `cuts` times that each is asked for."""

    cuts = 1
    asked: Counter[str]  # how often each path was

    def copyfile(self, source: Any, outputfile: Any) -> None:
        self.asked[self.path] += 1
        data = source.read()
        broken = self.path.endswith(".tar") and self.asked[self.path] <= self.cuts
        outputfile.write(data[: len(data) // 2] if broken else data)


def test_a_stream_goes_on_after_a_broken_connection_without_loss_or_repetition(dataset):
    handler = type("Once", (Cutting,), {"asked": Counter()})
    with serving(dataset, handler) as root:
        assert keys(anidata.load_dataset(root)) == list(raw(dataset))
    assert {handler.asked[f"/data/{tar.name}"] for tar in tars(dataset)} == {2}


def test_a_shard_that_always_breaks_off_is_a_typed_error(dataset):
    handler = type("Always", (Cutting,), {"cuts": 99, "asked": Counter()})
    with (
        serving(dataset, handler) as root,
        pytest.raises(DatasetError, match=r"data/train-00000-of-\d+\.tar: .* after \d samples"),
    ):
        list(anidata.load_dataset(root))
    assert handler.asked[f"/data/{tars(dataset)[0].name}"] == dataset_stream.TRIES


def test_a_server_that_falls_silent_is_a_typed_error(dataset, monkeypatch):
    over = threading.Event()

    class Silent(Handler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            if self.path.endswith(".tar"):
                over.wait()
            else:
                super().copyfile(source, outputfile)

    monkeypatch.setattr(dataset_stream, "STALL", 0.05)
    with serving(dataset, Silent) as root:
        with pytest.raises(DatasetError, match=r"\.tar: can't be read after 0 samples: .*timed out"):
            list(anidata.load_dataset(root))
        over.set()


def other_count(difference: int) -> Any:
    def change(dataset: Path) -> None:
        path = dataset / "index/shardindex.json"
        index = json.loads(path.read_bytes())
        next(s for s in index["shardlist"] if s["dataset"] == "train")["nsamples"] += difference
        path.write_text(json.dumps(index))

    return change


def spoil(dataset: Path) -> None:
    data = bytearray(tars(dataset)[0].read_bytes())
    start = data.index(b"\xff\xd8\xff")  # a JPEG's begin
    data[start : start + 3] = b"\0\0\0"
    tars(dataset)[0].write_bytes(data)


READING = {
    "a tar isn't there": (
        lambda p: tars(p)[0].unlink(),
        r"train-00000-of-\d+\.tar: can't be read after 0 samples: HTTP Error 404",
    ),
    "fewer samples": (other_count(1), r"ends after \d samples of \d.*anidata audit"),
    "more samples": (other_count(-1), r"has more than the \d samples that the index says"),
    "no tar": (lambda p: tars(p)[0].write_bytes(b"<html>" * 999), r"can't be read after 0 samples"),
    "a damaged picture": (spoil, r"data/train-00000-of-\d+\.tar/\w{24}\.color\.jpg: not_an_image"),
}


@pytest.mark.parametrize(("damage", "message"), READING.values(), ids=READING)
def test_what_is_damaged_or_missing_is_a_typed_error(copy, damage, message):
    damage(copy)
    with serving(copy) as root, pytest.raises(DatasetError, match=message):
        list(anidata.load_dataset(root))


def test_a_place_without_a_data_set_is_a_typed_error(url):
    with pytest.raises(
        DatasetError,
        match=r"nowhere: manifest\.json can't be read: HTTP Error 404.*Name the URL of a data set's folder",
    ):
        anidata.load_dataset(f"{url}/nowhere")


def test_a_server_that_isnt_there_is_a_typed_error(dataset):
    with serving(dataset) as root:
        pass
    with pytest.raises(DatasetError, match=r"manifest\.json can't be read: .*refused"):
        anidata.load_dataset(root)


def test_another_format_is_told(copy):
    manifest = json.loads((copy / "manifest.json").read_bytes())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format": 9}))
    with serving(copy) as root, pytest.raises(FormatError, match="format 9"):
        anidata.load_dataset(root)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"split": "tarin"}, UnknownPart),
        ({"split": "none"}, DatasetError),
        ({"styles": ["dog"]}, UnknownPart),
    ],
)
def test_what_the_set_hasnt_got_is_told(url, asked, error):
    with pytest.raises(AnidataError) as caught:
        anidata.load_dataset(url, **asked)
    assert caught.type is error


def test_fewer_shards_than_loaders_are_told_with_what_to_do(dataset, url):
    stream, count = anidata.load_dataset(url), len(tars(dataset))
    message = rf"'train' has {count} shards for {2 * count} loaders \({count} ranks with 2 workers.*--reshard"
    with pytest.raises(DatasetError, match=message):
        next(stream.shuffled(0, 0, 0, count).read(0, 2))
    with pytest.raises(DatasetError, match="loaders"):
        len(stream.shuffled(0, 0, 0, count + 1))


def test_a_url_that_is_a_command_isnt_run(tmp_path):
    with pytest.raises(DatasetError, match="Protocol not known: pipe"):
        anidata.load_dataset(f"pipe://touch {tmp_path}/made; echo ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["unheard-of://a/b", "http://", "http://[::1/x"])
def test_a_url_that_nobody_knows_is_a_typed_error(url):
    with pytest.raises(DatasetError, match=r"manifest\.json can't be read"):
        anidata.load_dataset(url)


def test_a_driver_that_isnt_installed_is_named():
    pytest.importorskip("fsspec")
    with pytest.raises(MissingExtra, match=r"s3fs"):
        anidata.load_dataset("s3://bucket/set")


def test_without_webdataset_the_remedy_is_told(monkeypatch, url):
    for name in [name for name in sys.modules if name.partition(".")[0] == "webdataset"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "anidata.dataset.stream")
    monkeypatch.delattr(anidata.dataset, "stream")
    with pytest.raises(
        MissingExtra, match=r"needs webdataset. Install it with: pip install 'anidata\[train\]'"
    ):
        anidata.load_dataset(url)


def test_a_stream_left_early_leaves_nothing_behind(url):
    samples = iter(anidata.load_dataset(url))
    assert next(samples)["key"]
    samples.close()
