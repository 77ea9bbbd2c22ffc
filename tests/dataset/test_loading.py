"""A finished data set read by others: tarfile, webdataset, datasets, mlcroissant, pyarrow, PyYAML."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import anidata.cli.entry
from drawings import drawing, save
from inline import Inline

TAGS = [
    "1girl",
    "long hair",
    "yes, my lord",
    'say "hi"',
    "line\nbreak",
    "長い髪",
    "🎨",
    "back\\slash",
    "x=<y>",
    ",",
]
PLAIN_TAGS = [
    "1girl",
    "long hair",
    "yes my lord",
    'say "hi"',
    "line break",
    "長い髪",
    "🎨",
    "back\\slash",
    "x=<y>",
]
CAPTION = 'He said "no".\x07\x1b[31m\u2028 “Ünïcode” 🎨'
LICENSE = "A|B <script>alert(1)</script>"
FULL = {
    "tags": TAGS,
    "artist": "Ōkami, Inc.",
    "license": LICENSE,
    "rating": "general",
    "source": "https://example.org/?a=1&b=2",
    "caption": CAPTION,
}
SIZE = 96  # px of a side


class Built(NamedTuple):
    """A workspace with a data set."""

    work: Path
    pile: Path

    @property
    def path(self) -> Path:
        return self.work / "dataset"

    @property
    def tars(self) -> list[Path]:
        return sorted((self.path / "data").glob("*.tar"))

    def json(self, name: str) -> dict[str, Any]:
        return json.loads((self.path / name).read_bytes())

    def tables(self) -> list[dict[str, Any]]:
        return [
            row
            for path in sorted((self.path / "metadata").glob("*.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]

    def members(self) -> dict[str, bytes]:
        return {name: data for tar in self.tars for name, data in contents(tar)}

    def samples(self) -> list[dict[str, Any]]:
        return [json.loads(data) for name, data in self.members().items() if name.endswith(".json")]

    def query(self, sql: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(anidata.cli.entry.app, ["query", str(self.work), sql, "--format", "json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def contents(tar: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(tar) as file:
        return [(m.name, file.extractfile(m).read()) for m in file]


def suffix(name: str) -> str:
    return name.split(".", 1)[1]


def run(made: Built, *settings: str) -> Built:
    words = [w for s in (f"lineart.size={SIZE}", *settings) for w in ("--set", s)]
    result = CliRunner().invoke(
        anidata.cli.entry.app, ["run", "quickstart", str(made.work), str(made.pile), *words]
    )
    assert result.exit_code == 0, (result.output, result.exception)
    return made


Build = Callable[..., Built]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Make a data set of `count` drawings, with the notes that `notes` gives for a number in key order."""

    def make(*settings: str, count: int = 12, notes: Callable[[int], dict[str, Any]] = lambda _: {}) -> Built:
        base = tmp_path_factory.mktemp("built")
        files = [save(base / "my pile" / f"{n:02d}.png", drawing(n, 300, 300 + 20 * n)) for n in range(count)]
        for number, file in enumerate(
            sorted(files, key=lambda f: hashlib.sha256(f.read_bytes()).hexdigest())
        ):
            if note := notes(number):
                file.with_suffix(".json").write_text(json.dumps(note))
        return run(Built(base / "work", base / "my pile"), *settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        yield make


@pytest.fixture(scope="module")
def built(build) -> Built:
    """Twelve pictures, every third with notes of all kinds; several tars of train, none of one split."""
    splits = "shard.splits={train=0.6, val=0.2, test=0.2, none=0.0}"
    return build(splits, "shard.shard_bytes=40000", notes=lambda n: FULL if n % 3 == 2 else {})


@pytest.fixture(scope="module")
def bare(build) -> Built:
    """One split of one tar, whose first seven samples have no notes at all."""
    return build("shard.splits={train=1.0}", notes=lambda n: FULL if n >= 7 else {})


@pytest.fixture(scope="module")
def two_styles(build) -> Built:
    return build('lineart.styles=["xdog", "canny"]', "lineart.color=webp", count=5)


# --- tars ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "suffixes"),
    [
        ("built", ["color.jpg", "json", "lineart.png"]),
        ("two_styles", ["color.webp", "json", "lineart.canny.png", "lineart.png"]),
    ],
)
def test_members_of_a_sample_are_adjacent_and_sorted_and_alike_in_every_sample(fixture, suffixes, request):
    for tar in request.getfixturevalue(fixture).tars:
        names = [name for name, _ in contents(tar)]
        assert names == sorted(names)
        grouped = [
            (key, [suffix(n) for n in group]) for key, group in groupby(names, key=lambda n: n.split(".")[0])
        ]
        assert grouped == [(key, suffixes) for key in sorted({n.split(".")[0] for n in names})]


def test_tars_tell_nothing_of_who_made_them_and_when(built):
    for tar in built.tars:
        with tarfile.open(tar) as file:
            assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode, m.type) for m in file} == {
                (0, 0, "", "", 0, 0o644, tarfile.REGTYPE)
            }


def test_color_and_lineart_are_of_one_size_and_of_the_form_asked_for(build):
    made = build(count=4)
    assert forms_and_sizes(made) == {("JPEG", (SIZE, SIZE))}
    assert forms_and_sizes(run(made, "lineart.fit=crop", "lineart.color=png")) == {("PNG", (SIZE, SIZE))}
    bucketed = forms_and_sizes(run(made, "lineart.fit=bucket", "lineart.color=webp", "lineart.size=256"))
    assert all(
        form == "WEBP" and width % 64 == height % 64 == 0 and width * height <= 256**2
        for form, (width, height) in bucketed
    )


def forms_and_sizes(made: Built) -> set[tuple[str, tuple[int, int]]]:
    """The form and size of each color picture.

    Having checked that its lineart is a gray PNG of the same size, and that the JSON says so.
    """
    members, forms = made.members(), set()
    for about in made.samples():
        mine = {
            suffix(name): io.BytesIO(data) for name, data in members.items() if name.startswith(about["key"])
        }
        color = PIL.Image.open(next(data for ending, data in mine.items() if ending.startswith("color.")))
        line = PIL.Image.open(mine["lineart.png"])
        assert (color.mode, line.format, line.mode) == ("RGB", "PNG", "L")
        assert color.size == line.size == (about["width"], about["height"])
        forms.add((color.format, color.size))
    return forms


def test_a_second_style_has_its_own_lines_of_the_same_picture(two_styles):
    members = two_styles.members()
    for about in two_styles.samples():
        first, second = (
            np.array(PIL.Image.open(io.BytesIO(members[f"{about['key']}.{s}"])))
            for s in ("lineart.png", "lineart.canny.png")
        )
        assert first.shape == second.shape
        assert (first != second).any()
        assert about["style"] == "xdog"
        assert about["ink"] == pytest.approx((first < 128).mean(), abs=1e-6)


# --- texts --------------------------------------------------------------------------------------------------


def test_json_has_the_same_fields_and_types_in_every_sample_and_no_null_or_list(built):
    schemas = {tuple((name, type(value)) for name, value in about.items()) for about in built.samples()}
    assert len(schemas) == 1
    assert {kind for _, kind in schemas.pop()} == {str, int, float}


def test_json_metadata_and_records_say_the_same(built):
    records = {r["key"]: r for r in built.query("SELECT * FROM records WHERE keep")}
    tables, samples = ({row["key"]: row for row in rows} for rows in (built.tables(), built.samples()))
    assert records.keys() == tables.keys() == samples.keys()
    for key, record in records.items():
        for name in ("file", "url", "license", "artist", "rating", "caption", "format"):
            assert (samples[key][name] or None) == tables[key][name] == record[name]
        assert tables[key]["tags"] == sorted(record["tags"])
        assert (tables[key]["split"], tables[key]["cluster"], tables[key]["phash"]) == (
            record["split"],
            record["cluster"],
            record["phash"],
        )
        assert [samples[key][f"source_{side}"] for side in ("width", "height")] == [
            record["width"],
            record["height"],
        ]


def test_tags_of_any_letters_come_through(built):
    assert [row["tags"] for row in built.tables() if row["tags"]] == [sorted(TAGS)] * 4
    texts = [about["tags"] for about in built.samples() if about["tags"]]
    assert [sorted(text.split(", ")) for text in texts] == [sorted(PLAIN_TAGS)] * 4


def test_captions_and_licenses_of_any_letters_come_through(built):
    noted = [about for about in built.samples() if about["caption"]]
    assert {(a["caption"], a["license"], a["artist"], a["url"], a["rating"]) for a in noted} == {
        (CAPTION, LICENSE, FULL["artist"], FULL["source"], "g")
    }


# --- what stands beside the tars ----------------------------------------------------------------------------


def test_the_manifest_has_size_and_hash_of_every_file(built, two_styles):
    for made in (built, two_styles):
        there = {str(p.relative_to(made.path)): p.read_bytes() for p in made.path.rglob("*") if p.is_file()}
        for name in ("manifest.json", ".anidata"):
            del there[name]
        assert made.json("manifest.json")["files"] == {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in there.items()
        }


def test_no_path_of_this_machine_is_anywhere_in_the_data_set(built):
    base = str(built.work.parent)
    bad = [
        word.encode()
        for word in {base, os.path.realpath(base), str(Path.home()), built.work.parent.name, "file://"}
    ]
    texts = {str(p): p.read_bytes() for p in built.path.rglob("*") if p.is_file()}
    texts |= {
        f"rows of {p}": repr((pq.read_table(p).to_pylist(), pq.read_schema(p).metadata)).encode()
        for p in built.path.rglob("*.parquet")
    }
    assert [(name, word) for name, data in texts.items() for word in bad if word in data] == []


def test_index_offsets_point_at_the_bytes(built):
    for tar in built.tars:
        head, *lines = (built.path / "index" / f"{tar.stem}.idx").read_text().splitlines()
        raw, expected = tar.read_bytes(), contents(tar)
        assert head == f"v1.2 {len(lines)}"
        entries = [words[i : i + 4] for words in map(str.split, lines) for i in range(0, len(words), 4)]
        assert [(name, raw[int(at) : int(at) + int(size)]) for _, at, size, name in entries] == expected
        assert all(suffix(name) == ending for ending, _, _, name in entries)


def test_the_shard_index_has_the_form_that_wids_reads(built):
    index = built.json("index/shardindex.json")
    assert (index["__kind__"], index["wids_version"]) == ("wids-shard-index-v1", 1)
    listed = {(built.path / "index" / shard["url"]).resolve(): shard for shard in index["shardlist"]}
    assert sorted(listed) == [tar.resolve() for tar in built.tars]
    for path, shard in listed.items():
        keys = {name.split(".")[0] for name, _ in contents(path)}
        assert (shard["nsamples"], shard["filesize"]) == (len(keys), path.stat().st_size)
        assert shard["dataset"] == path.name.split("-")[0]


def test_the_card_s_yaml_names_every_tar_once_and_no_empty_split(built):
    configs = yaml.safe_load((built.path / "README.md").read_text().split("---\n")[1])["configs"]
    patterns = {files["split"]: files["path"] for config in configs for files in config["data_files"]}
    assert list(patterns) == ["train", "val", "test"]
    assert sorted(p for pattern in patterns.values() for p in built.path.glob(pattern)) == built.tars
    assert built.json("manifest.json")["splits"].keys() == patterns.keys()


def test_croissant_is_valid_and_its_records_can_be_read(built):
    mlc = pytest.importorskip("mlcroissant")
    described = mlc.Dataset(jsonld=str(built.path / "croissant.json"))
    issues = described.metadata.ctx.issues
    assert not issues.errors
    assert sorted(re.findall(r"/(\w+)\" is recommended", " ".join(issues.warnings))) == [
        "citeAs",
        "datePublished",
    ]
    records = {row["samples/key"].decode(): row for row in described.records("samples")}
    rows = {row["key"]: row for row in built.tables()}
    assert records.keys() == rows.keys()
    for key, row in rows.items():
        assert (records[key]["samples/license"] or b"").decode() == (row["license"] or "")
        assert records[key]["samples/width"] == row["width"]
        assert [tag.decode() for tag in records[key]["samples/tags"]] == row["tags"]


# --- the loaders of others ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> dict[str, str]:
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path_factory.mktemp("hub")),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def python(code: str, folder: Path, environment: dict[str, str]) -> str:
    """What a program prints, run in a folder: a process of its own, since loaders fork."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


BATCHES = """
import json
from glob import glob
import torch, webdataset

samples = []
for split in ("train", "val", "test"):
    tars = sorted(glob(f"data/{split}-*.tar"))
    pairs = webdataset.WebDataset(tars, shardshuffle=False, empty_check=False).decode("rgb8")
    for pair in torch.utils.data.DataLoader(pairs, batch_size=None, num_workers=2):
        samples.append([split, pair["json"], list(pair["color.jpg"].shape), list(pair["lineart.png"].shape)])
print(json.dumps(samples))
"""


@pytest.mark.slow
def test_webdataset_reads_every_sample_with_two_workers(built, offline):
    pytest.importorskip("torch")
    samples = json.loads(python(BATCHES, built.path, offline))
    abouts, splits = (
        {about["key"]: about for about in built.samples()},
        {row["key"]: row["split"] for row in built.tables()},
    )
    assert len(samples) == len(abouts)
    for split, about, color, line in samples:
        assert (split, about) == (splits[about["key"]], abouts[about["key"]])
        assert color == line == [SIZE, SIZE, 3]


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["built", "two_styles"])
def test_the_card_s_code_runs_as_printed(fixture, request, offline):
    made = request.getfixturevalue(fixture)
    blocks = re.findall(r"```python\n(.*?)```", (made.path / "README.md").read_text(), re.DOTALL)
    assert [re.search(r"webdataset|datasets", block)[0] for block in blocks] == ["webdataset", "datasets"]
    printed = python("\n".join(blocks), made.path, offline)
    keys = [
        row["key"] for row in made.query("SELECT key FROM samples WHERE split = 'train' ORDER BY shard, key")
    ]
    assert printed.splitlines() == [f"{key} L RGB ({SIZE}, {SIZE})" for key in keys]


LOAD = """
import json, sys
from datasets import Image, load_dataset

NAMES = "color.jpg", "lineart.png"

def summary(row):
    pictures = [row[name] for name in NAMES]
    return [row["__key__"], row["json"]] + [[p.mode, *p.convert("RGB").size] for p in pictures]

answers = []
for streaming in (True, False):
    splits = load_dataset(sys.argv[1], streaming=streaming)
    assert all(isinstance(part.features[name], Image) for part in splits.values() for name in NAMES)
    answers.append({split: [summary(row) for row in part] for split, part in splits.items()})
print(json.dumps(answers))
"""


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["built", "bare"])
def test_datasets_finds_splits_and_features_by_itself(fixture, request, offline, tmp_path):
    made = request.getfixturevalue(fixture)
    streamed, loaded = json.loads(
        python(f"import sys; sys.argv[1:] = [{str(made.path)!r}]\n{LOAD}", tmp_path, offline)
    )
    abouts = {about["key"]: about for about in made.samples()}
    expected: dict[str, list[Any]] = {}
    for row in made.query("SELECT * FROM samples ORDER BY shard, key"):
        expected.setdefault(row["split"], []).append(
            [row["key"], abouts[row["key"]], ["RGB", SIZE, SIZE], ["L", SIZE, SIZE]]
        )
    assert streamed == loaded == expected


def test_the_first_five_samples_of_the_bare_set_say_nothing(bare):
    """What the Hub's loader infers types from; the test above relies on it."""
    assert all(about["tags"] == about["artist"] == about["caption"] == "" for about in bare.samples()[:5])
    assert any(about["tags"] for about in bare.samples())
    assert pa.Table.from_pylist(bare.samples()).schema == pa.Table.from_pylist(bare.samples()[:5]).schema
