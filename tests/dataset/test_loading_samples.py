"""load_dataset of a folder: samples by number, and what can be wrong.

As tarfile, Pillow, webdataset and PyTorch's DataLoader see them.
"""

import gc
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import anidata
from anidata import storage
from anidata.dataset import description, indexed_tar
from anidata.dataset import sample as dataset_sample
from anidata.errors import AnidataError, DatasetError, FormatError, StorageError, UnknownPart
from loading_lab import assert_same, build, raw, seen, tars


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    """A data set to damage."""
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


# --- what is read -------------------------------------------------------------------------------------------


def test_samples_are_what_tarfile_and_pillow_find_in_the_order_of_the_tars(dataset):
    assert len(tars(dataset)) > 1
    samples, expected = anidata.load_dataset(dataset, styles=["xdog", "canny"]), raw(dataset)
    assert len(samples) == len(expected)
    for sample, (key, files) in zip(samples, expected.items(), strict=True):
        assert sample["key"] == key
        assert_same(sample, seen(files), ("xdog", "canny"))


def test_files_are_what_webdataset_reads(dataset):
    wds = pytest.importorskip("webdataset")
    samples = anidata.load_dataset(dataset, "val")
    theirs = list(wds.WebDataset([str(t) for t in tars(dataset, "val")], shardshuffle=False))
    assert [s["__key__"] for s in theirs] == list(samples.keys)
    for n, sample in enumerate(theirs):
        assert samples.files(n) == {
            suffix: data for suffix, data in sample.items() if not suffix.startswith("__")
        }


@pytest.mark.parametrize(
    ("styles", "read"),
    [(None, ("xdog",)), ((), ()), (["canny"], ("canny",)), (["canny", "xdog"], ("canny", "xdog"))],
)
def test_only_the_styles_asked_for_are_decoded(dataset, styles, read):
    samples = anidata.load_dataset(dataset, styles=styles)
    assert samples.styles == ("xdog", "canny")
    assert_same(samples[0], seen(samples.files(0)), read)


def test_a_style_can_be_chosen_for_each_sample(dataset):
    samples = anidata.load_dataset(dataset)
    for styles in (("canny",), (), ("xdog", "canny")):
        assert_same(samples.read(2, styles), seen(samples.files(2)), styles)


@pytest.mark.parametrize(
    "settings", [("lineart.color=png",), ("lineart.color=webp", "lineart.fit=bucket", "lineart.size=128")]
)
def test_every_form_of_color_and_every_shape_of_page_is_read(settings, tmp_path):
    samples = anidata.load_dataset(build(tmp_path, *settings, count=4))
    for n, sample in enumerate(samples):
        assert_same(sample, seen(samples.files(n)), ("xdog",))


def test_samples_are_counted_from_either_end_and_no_further(dataset):
    samples = anidata.load_dataset(dataset)
    keys, last = list(samples.keys), len(samples) - 1
    assert samples[-1]["key"] == samples[np.int64(last)]["key"] == keys[last]
    assert samples[-last - 1]["key"] == samples[0]["key"] == keys[0]
    for beyond in (last + 1, -last - 2):
        with pytest.raises(IndexError, match=f"of {last + 1}"):
            samples[beyond]
    with pytest.raises(TypeError):
        samples["0"]


def test_several_are_those_one_by_one(dataset):
    samples = anidata.load_dataset(dataset)
    assert [s["key"] for s in samples.__getitems__([3, 0, 3])] == [samples.keys[n] for n in (3, 0, 3)]


def test_keys_are_read_as_asked_for_and_all_at_once(dataset):
    samples = anidata.load_dataset(dataset)
    expected = list(raw(dataset))
    assert list(samples.keys) == expected
    assert [samples.keys[n] for n in range(len(samples))] == samples.keys[:] == expected
    assert expected[2] in samples.keys
    assert len(samples.keys) == len(expected)


def test_an_epoch_goes_through_every_sample_once_and_two_ranks_share_it(dataset):
    samples = anidata.load_dataset(dataset)
    halves = [samples.order(3, 1, rank, 2) for rank in range(2)]
    assert (
        sorted(np.concatenate(halves).tolist())
        == sorted(samples.order(3, 1).tolist())
        == list(range(len(samples)))
    )
    assert samples.order(3, 1).tolist() != samples.order(3, 2).tolist()


def test_a_folder_is_found_by_a_relative_path_and_by_its_file_url_from_wherever(dataset, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    samples = anidata.load_dataset(dataset.name)
    monkeypatch.chdir("/")
    assert samples[0]["key"] == anidata.load_dataset(storage.uri_of(dataset))[0]["key"]


@pytest.mark.parametrize(
    ("mode", "extra"),
    [("RGB", {}), ("L", {"transparency": 0}), ("1", {}), ("I;16", {}), ("P", {})],
)
def test_lines_of_other_layouts_than_ours_are_read_as_gray_too(mode, extra):
    gray = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    page = (
        PIL.Image.fromarray(gray.astype(np.uint16) * 257)
        if mode == "I;16"
        else PIL.Image.fromarray(gray).convert(mode, dither=0)
    )
    files = {
        "color.png": png(PIL.Image.new("RGB", (30, 20))),
        "lineart.png": png(page, **extra),
        "json": b"{}",
    }
    line = dataset_sample.decode("here", "a.tar/key", files, {"xdog": "lineart.png"})["lineart"]["xdog"]
    expected = {"1": np.where(gray >= 128, 255, 0), "L": np.where(gray == 0, 255, gray)}.get(mode, gray)
    np.testing.assert_array_equal(line, expected)


def png(picture: PIL.Image.Image, **extra: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **extra)
    return file.getvalue()


def test_the_format_is_the_one_that_shard_writes(dataset):
    assert json.loads((dataset / "manifest.json").read_bytes())["format"] == description.FORMAT


# --- without and with torch ---------------------------------------------------------------------------------


def program(*words: object) -> str:
    """What a program prints: a process of its own, since it forks or tells what is imported."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_and_reading_import_no_torch_and_no_catalog(dataset):
    code = """
import sys, anidata
heavy = ("torch", "cv2", "pyarrow", "duckdb", "webdataset")
print([name for name in heavy if name in sys.modules])
anidata.load_dataset(sys.argv[1])[0]
print([name for name in heavy if name in sys.modules])
"""
    assert program("-c", code, dataset).splitlines() == ["[]", "['cv2']"]


def test_pictures_become_tensors_without_a_copy_or_a_warning(dataset):
    torch = pytest.importorskip("torch")
    sample = anidata.load_dataset(dataset)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.from_numpy(sample["color"]).shape == sample["color"].shape


LOADERS = """
import json, sys
import anidata
from torch.utils.data import DataLoader

def keys(samples):
    return [s["key"] + str(int(s["color"].sum())) for s in samples]

def read(samples, order, workers, start):
    context = {"multiprocessing_context": start} if workers else {}
    loader = DataLoader(samples, 2, sampler=order.tolist(), num_workers=workers, collate_fn=keys, **context)
    return [key for batch in loader for key in batch]

if __name__ == "__main__":
    samples = anidata.load_dataset(sys.argv[1])
    samples[0]  # files are open before the workers start
    whole, start = samples.order(5, 0), sys.argv[2]
    read_by = {"here": keys(samples[n] for n in whole)}
    read_by["workers"] = [read(samples, whole, workers, start) for workers in (0, 1, 2)]
    read_by["ranks"] = [read(samples, samples.order(5, 0, rank, 2), 1, start) for rank in range(2)]
    batch = next(iter(DataLoader(samples, 2)))
    shapes = [list(batch["color"].shape), list(batch["lineart"]["xdog"].shape), len(batch["meta"]["tags"])]
    print(json.dumps(read_by | {"shapes": shapes}))
"""


# Each spawned worker imports torch anew.
@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_dataloader_gives_the_same_with_any_number_of_workers_and_ranks_share_an_epoch(
    dataset, start, tmp_path
):
    pytest.importorskip("torch")
    script = tmp_path / "loaders.py"  # a spawned worker imports it
    script.write_text(LOADERS)
    keys = json.loads(program(script, dataset, start))
    expected = keys["here"]
    assert keys["workers"] == [expected] * 3
    assert sorted(keys["ranks"][0] + keys["ranks"][1]) == sorted(expected)
    assert keys["shapes"] == [[2, 64, 64, 3], [2, 64, 64], 2]


# --- open files ---------------------------------------------------------------------------------------------


def open_files() -> int:
    gc.collect()  # what earlier tests left
    return sum(1 for _ in Path("/dev/fd").iterdir())


def read_by_threads(dataset: Path) -> int:
    """How many files are open after four threads have read everything, each beginning elsewhere."""
    samples = anidata.load_dataset(dataset)
    turns = [np.roll(np.arange(len(samples)), turn).tolist() * 5 for turn in range(4)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda turn: [sample["key"] for sample in samples.__getitems__(turn)], turns))
    keys = list(samples.keys)
    assert read == [[keys[n] for n in turn] for turn in turns]
    return open_files()


def test_no_more_files_stay_open_than_allowed_while_threads_read_and_none_afterwards(dataset, monkeypatch):
    monkeypatch.setattr(indexed_tar, "OPEN", 2)
    before = open_files()
    assert before < read_by_threads(dataset) <= before + 2
    assert open_files() == before


def test_a_pickled_set_opens_its_own_files(dataset):
    samples = anidata.load_dataset(dataset, styles=["canny"])
    samples[0]
    twin = pickle.loads(pickle.dumps(samples))
    assert twin[1]["key"] == samples[1]["key"]
    assert tuple(twin[1]["lineart"]) == ("canny",)


# --- what can be wrong --------------------------------------------------------------------------------------


def edit(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def drop_tars(dataset: Path) -> None:
    for tar in tars(dataset)[:3]:
        tar.unlink()


def urls_lead_out(dataset: Path) -> None:
    edit(
        dataset / "index/shardindex.json",
        lambda index: index["shardlist"][0].update(url="../../data/../../secret.tar"),
    )


NOT_OPENED = {
    "no such folder": (shutil.rmtree, DatasetError, r"is no data set of anidata.*anidata run quickstart"),
    "missing tars": (
        drop_tars,
        DatasetError,
        r"train-00000-of-\d{5}\.tar isn't there, nor are 2 others.*anidata shard",
    ),
    "a missing index": (
        lambda p: next((p / "index").glob("train-*.idx")).unlink(),
        DatasetError,
        r"\.idx isn't there\.",
    ),
    "no shard index": (
        lambda p: (p / "index/shardindex.json").unlink(),
        DatasetError,
        r"shardindex\.json isn't there",
    ),
    "a cut tar": (
        lambda p: os.truncate(tars(p)[0], 1024),
        DatasetError,
        r"has 1,024 bytes; the index says .*anidata audit",
    ),
    "another format": (
        lambda p: edit(p / "manifest.json", lambda m: m.update(format=2)),
        FormatError,
        r"format 2; .* reads 1\.",
    ),
    "no JSON": (
        lambda p: (p / "manifest.json").write_bytes(b"\xff{"),
        DatasetError,
        r"manifest\.json: .*anidata audit",
    ),
    "deep JSON": (
        lambda p: (p / "manifest.json").write_bytes(b'{"format":' + b"[" * 10**5),
        DatasetError,
        r"manifest\.json: ",
    ),
    "somebody else's": (
        lambda p: (p / "manifest.json").write_text('{"name": "x"}'),
        DatasetError,
        r"manifest\.json: .*format",
    ),
    "urls that lead out": (urls_lead_out, DatasetError, r"secret\.tar' .* isn't a shard"),
}


@pytest.mark.parametrize(("damage", "error", "message"), NOT_OPENED.values(), ids=NOT_OPENED)
def test_a_set_that_cant_be_read_whole_isnt_opened(copy, damage, error, message):
    damage(copy)
    with pytest.raises(AnidataError, match=message) as caught:
        anidata.load_dataset(copy)
    assert caught.type is error


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (
            {"split": "trian"},
            UnknownPart,
            r"no split 'trian'. Did you mean 'train'\? There are: train \(\d+\), val \(\d+\)",
        ),
        ({"split": "none"}, DatasetError, r"'none' has no samples. Choose among: train .*shard\.splits"),
        (
            {"styles": ["xdgo"]},
            UnknownPart,
            r"style 'xdgo'\. Did you mean 'xdog'\? There are: xdog, canny\. .*--style xdog",
        ),
    ],
)
def test_what_the_set_hasnt_got_is_told_with_what_it_has(dataset, asked, error, message):
    with pytest.raises(AnidataError, match=message) as caught:
        anidata.load_dataset(dataset, **asked)
    assert caught.type is error


def test_a_style_drawn_for_a_sample_has_to_be_there_too(dataset):
    with pytest.raises(UnknownPart, match="style 'dog'"):
        anidata.load_dataset(dataset).read(0, ["dog"])


def test_a_workspace_is_told_from_its_data_set(dataset):
    with pytest.raises(DatasetError, match=r"is a workspace; its data set is .*dataset\. Name that\."):
        anidata.load_dataset(dataset.parent)


def index_of(dataset: Path) -> Path:
    return dataset / "index" / f"{tars(dataset)[0].stem}.idx"


def change_index(pattern: str, other: str) -> Callable[[Path], None]:
    def change(dataset: Path) -> None:
        head, line, *rest = index_of(dataset).read_text().split("\n")
        offset, size = line.split(" ")[1:3]
        assert pattern.format(offset=offset, size=size) in line
        changed = line.replace(
            pattern.format(offset=offset, size=size),
            other.format(after=int(offset) + 512, more=int(size) + 1),
            1,
        )
        index_of(dataset).write_text("\n".join([head, changed, *rest]))

    return change


def overwrite(suffix: str, start: int, data: bytes) -> Callable[[Path], None]:
    """Damage the first sample's file, `start` bytes from its begin, or from its end."""

    def change(dataset: Path) -> None:
        words = index_of(dataset).read_text().split("\n")[1].split(" ")
        offset, size = next(
            (int(o), int(s))
            for ending, o, s in zip(words[::4], words[1::4], words[2::4], strict=True)
            if ending == suffix
        )
        with open(tars(dataset)[0], "r+b") as file:
            file.seek(offset + start if start >= 0 else offset + size + start)
            file.write(data)

    return change


UNREADABLE = {
    "an index of more": (
        lambda p: index_of(p).write_text("v1.2 999\n"),
        r"\.idx: begins with .*an index of \d+ samples begins with",
    ),
    "an index that is cut": (lambda p: os.truncate(index_of(p), 60), r"\.idx: begins with"),
    "no numbers": (change_index("json ", "json json "), r"\.idx: line 2 can't be read"),
    "beyond the tar": (
        change_index(" {offset} {size} ", " 99999999999 1 "),
        r"\.idx: line 2 can't be read: .* outside the tar",
    ),
    "huge": (
        change_index(" {offset} {size} ", " 512 99999999999 "),
        r"\.idx: line 2 can't be read: .* outside the tar",
    ),
    "before the tar": (
        change_index(" {offset} {size} ", " -512 1 "),
        r"\.idx: line 2 can't be read: .* outside the tar",
    ),
    "another place": (
        change_index(" {offset} ", " {after} "),
        r"color\.jpg isn't at byte 1,024, where the index has it",
    ),
    "another size": (
        change_index(" {size} ", " {more} "),
        r"color\.jpg isn't at byte 512, where the index has it",
    ),
    "no color": (change_index("color.jpg", "colour.jpg"), r"the sample has no color\.\*"),
    "no line": (change_index("lineart.png", "line.png"), r"the sample has no lineart\.png"),
    "JPEG": (overwrite("color.jpg", 0, b"\0" * 100), r"\.tar/\w{24}\.color\.jpg: not_an_image"),
    "JPEG's end": (
        overwrite("color.jpg", -300, b"\0" * 300),
        r"\.tar/\w{24}\.color\.jpg: (corrupt|truncated)",
    ),
    "PNG": (
        overwrite("lineart.png", 60, b"\0" * 20),
        r"\.tar/\w{24}\.lineart\.png: corrupt: the checksum .*anidata audit",
    ),
    "JSON": (overwrite("json", 0, b"\xff"), r"\.tar/\w{24}\.json: "),
}


@pytest.mark.parametrize(("damage", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_damaged_sample_is_a_typed_error_and_the_others_are_read(copy, damage, message):
    damage(copy)
    samples = anidata.load_dataset(copy)
    with pytest.raises(DatasetError, match=message):
        samples[0]
    assert samples[-1]["key"] == list(raw(copy))[-1]


def test_a_tar_that_goes_while_it_is_read_is_a_typed_error(copy):
    samples = anidata.load_dataset(copy)
    tars(copy)[0].unlink()
    with pytest.raises(DatasetError, match=r"\.tar isn't there\. Copy the data set whole"):
        samples[0]


def test_a_file_that_cant_be_read_is_a_storage_error(copy):
    samples = anidata.load_dataset(copy)
    tar = tars(copy)[0]
    tar.unlink()
    tar.mkdir()
    with pytest.raises(StorageError, match=r"\.tar can't be read"):
        samples[0]


def test_a_place_that_the_system_refuses_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match=r"can't be read \(File name too long\)"):
        anidata.load_dataset(tmp_path / ("x" * 5000))


def test_a_line_of_another_size_than_its_color_is_a_typed_error():
    files = {
        "color.png": png(PIL.Image.new("RGB", (30, 20))),
        "lineart.png": png(PIL.Image.new("L", (20, 30))),
        "json": b"{}",
    }
    with pytest.raises(DatasetError, match=r"key\.lineart\.png: \(20, 30\) px, its color picture \(30, 20\)"):
        dataset_sample.decode("here", "a.tar/key", files, {"xdog": "lineart.png"})
