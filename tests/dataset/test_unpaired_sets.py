"""A set without pairs: two configs, color and lineart, and no cluster in both."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import anidata
import anidata.cli.entry
from anidata.audit import audit
from anidata.dataset.description import CONFIGS
from anidata.errors import DatasetError, UnknownPart
from drawings import drawing, save
from inline import Inline
from loading_lab import serving

SPLITS = "shard.splits={train=0.6, val=0.4}"
SETTINGS = ("lineart.size=64", 'lineart.styles=["xdog", "canny"]', SPLITS, "shard.shard_bytes=20000")
UNPAIRED = "shard.unpaired=true"
MEMBERS = {"color": {"color.jpg", "json"}, "lineart": {"lineart.png", "lineart.canny.png", "json"}}


def run(*words: str | Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        done = CliRunner().invoke(anidata.cli.entry.app, [str(w) for w in words])
    assert done.exit_code == 0, (done.output, done.exception)


def options(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A workspace of 24 drawings, of which six come in other colors too: a cluster of two each."""
    base = tmp_path_factory.mktemp("unpaired")
    for n in range(24):
        save(base / f"pile/{n:02d}.png", drawing(n, 300, 340))
    for n in range(6):
        save(base / f"pile/{n:02d} again.png", drawing(n, 300, 340)[:, :, ::-1])
    run("run", "quickstart", base / "work", base / "pile", *options(*SETTINGS, UNPAIRED))
    return base / "work"


@pytest.fixture(scope="module")
def dataset(work) -> Path:
    return work / "dataset"


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    return shutil.copytree(dataset, tmp_path / "copy")


def config_of(tar: Path) -> str:
    return tar.name.split("-")[0]


def split_of(tar: Path) -> str:
    return tar.name.split("-")[1]


def samples(dataset: Path, config: str, split: str = "*") -> dict[str, dict[str, bytes]]:
    """Key → suffix → bytes, as tarfile reads them."""
    read: dict[str, dict[str, bytes]] = defaultdict(dict)
    for tar in sorted((dataset / "data").glob(f"{config}-{split}-*.tar")):
        with tarfile.open(tar) as file:
            for member in file:
                key, _, suffix = member.name.partition(".")
                read[key][suffix] = file.extractfile(member).read()
    return read


def rows(dataset: Path) -> dict[str, list[dict[str, object]]]:
    """The rows of the metadata by config."""
    read = defaultdict(list)
    for table in sorted((dataset / "metadata").glob("*.parquet")):
        read[config_of(table)] += pq.read_table(table).to_pylist()
    return read


def audited(dataset: Path) -> audit.Report:
    return audit.run([dataset], audit.Config(), Inline())


# --- the contract -------------------------------------------------------------------------------------------


def test_every_cluster_is_in_one_config_and_one_split(dataset):
    homes, sizes = defaultdict(set), defaultdict(int)
    for table in (dataset / "metadata").glob("*.parquet"):
        for row in pq.read_table(table).to_pylist():
            assert row["split"] == split_of(table)
            homes[row["cluster"]].add((config_of(table), row["split"]))
            sizes[row["cluster"]] += 1
    assert all(len(of_cluster) == 1 for of_cluster in homes.values())
    assert {config for config, _ in set().union(*homes.values())} == set(CONFIGS)
    twins = [cluster for cluster, size in sizes.items() if size > 1]
    assert len(twins) >= 4  # else it says little
    assert len({config for cluster in twins for config, _ in homes[cluster]}) == 2


def test_every_picture_is_there_once_and_tables_and_tars_agree(dataset):
    keys = [sorted(samples(dataset, config)) for config in CONFIGS]
    assert not set(keys[0]) & set(keys[1])
    assert len(keys[0]) + len(keys[1]) == 30
    assert [sorted(row["key"] for row in rows(dataset)[config]) for config in CONFIGS] == keys


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_has_one_schema_and_nothing_of_the_other(dataset, config):
    read = samples(dataset, config)
    assert {frozenset(files) for files in read.values()} == {frozenset(MEMBERS[config])}
    abouts = [json.loads(files["json"]) for files in read.values()]
    assert len({tuple((name, type(value)) for name, value in about.items()) for about in abouts}) == 1
    assert all(value not in (None, []) for about in abouts for value in about.values())
    assert {"style", "polarity", "ink"} <= abouts[0].keys() if config == "lineart" else "ink" not in abouts[0]
    assert {(about["width"], about["height"]) for about in abouts} == {(64, 64)}


def test_manifest_index_and_card_tell_of_both_configs(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    counts = {c: {s: len(samples(dataset, c, s)) for s in ("train", "val")} for c in CONFIGS}
    assert manifest["configs"] == counts
    assert manifest["splits"] == {s: counts["color"][s] + counts["lineart"][s] for s in ("train", "val")}
    assert manifest["recipe"]["shard"]["unpaired"] is True
    listed = json.loads((dataset / "index/shardindex.json").read_text())["shardlist"]
    assert {entry["dataset"] for entry in listed} == {f"{c}-{s}" for c in CONFIGS for s in ("train", "val")}
    card = (dataset / "README.md").read_text()
    configs = yaml.safe_load(card.split("---\n")[1])["configs"]
    assert [c["config_name"] for c in configs] == list(CONFIGS)
    for config in configs:
        tars = [t for files in config["data_files"] for t in sorted(dataset.glob(files["path"]))]
        assert tars == sorted((dataset / "data").glob(f"{config['config_name']}-*.tar"))
    assert set(re.findall(r"\{\w+\}", card)) == {"{config}"}  # of the code's own


def test_croissant_names_the_tars_of_each_config(dataset):
    mlc = pytest.importorskip("mlcroissant")
    described = mlc.Dataset(jsonld=str(dataset / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    assert len(list(described.records("samples"))) == 30
    document = json.loads((dataset / "croissant.json").read_text())
    contained = {node["@id"]: node.get("containedIn") for node in document["distribution"]}
    for member in ("color.jpg", "lineart.png", "lineart.canny.png"):
        assert {config_of(Path(tar["@id"])) for tar in contained[member]} == {member.split(".")[0]}


def test_a_set_of_pairs_has_the_bytes_that_it_always_had(work, dataset, tmp_path):
    """The switch leaves no trace where it is off, and going there and back changes nothing."""
    copied = shutil.copytree(work, tmp_path / "work")
    before = (dataset / "manifest.json").read_bytes()
    run("shard", copied, copied / "dataset", *options("shard.unpaired=false"))
    assert "unpaired" not in (copied / "dataset/manifest.json").read_text()
    run("run", "quickstart", tmp_path / "plain", work.parent / "pile", *options(*SETTINGS))
    paired, plain = (w / "dataset" for w in (copied, tmp_path / "plain"))
    assert (paired / "manifest.json").read_bytes() == (plain / "manifest.json").read_bytes()
    assert {frozenset(files) for files in samples(paired, "train").values()} == {
        frozenset(MEMBERS["color"] | MEMBERS["lineart"])
    }
    assert not list((paired / "data").glob("color-*"))
    run("shard", copied, copied / "dataset", *options(UNPAIRED))
    assert (copied / "dataset/manifest.json").read_bytes() == before


def test_a_picture_more_moves_no_other(work, dataset, tmp_path):
    copied = shutil.copytree(work, tmp_path / "work")
    pile = tmp_path / "more"
    for n in range(6):  # other colors again: the clusters have members more, perhaps of a smaller key
        save(pile / f"{n}.png", drawing(n, 300, 340)[:, :, [1, 0, 2]])
    save(pile / "new.png", drawing(77, 300, 340))
    run("run", "quickstart", copied, pile)
    before, after = ({c: set(samples(d, c)) for c in CONFIGS} for d in (dataset, copied / "dataset"))
    assert all(before[config] <= after[config] for config in CONFIGS)
    assert sum(map(len, after.values())) > 30
    assert audited(copied / "dataset").sound


# --- reading it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_a_url", [False, True])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_is_read_as_it_lies_there(dataset, config, of_a_url):
    files = samples(dataset, config, "train")
    with serving(dataset) as url:
        read = anidata.load_dataset(url if of_a_url else dataset, config=config)
        assert len(read) == len(files)
        for sample in read:
            expected = files[sample["key"]]
            assert sample["meta"] == json.loads(expected["json"])
            assert ("color" in sample) == (config == "color")
            assert list(sample["lineart"]) == (["xdog"] if config == "lineart" else [])
            suffix = "color.jpg" if config == "color" else "lineart.png"
            pixels = sample["color"] if config == "color" else sample["lineart"]["xdog"]
            np.testing.assert_array_equal(pixels, np.array(PIL.Image.open(io.BytesIO(expected[suffix]))))


@pytest.mark.parametrize("of_a_url", [False, True])
def test_without_a_config_it_is_said_what_to_type(dataset, of_a_url):
    message = r"has no pairs.*config='color'.* or config='lineart'.*--preset cyclegan.*unpaired=false"
    with serving(dataset) as url, pytest.raises(DatasetError, match=message):
        anidata.load_dataset(url if of_a_url else dataset)


def test_a_config_split_or_style_that_isnt_there_is_told(dataset, work, tmp_path):
    with pytest.raises(UnknownPart, match=r"no config 'colour'\. Did you mean 'color'"):
        anidata.load_dataset(dataset, config="colour")
    with pytest.raises(UnknownPart, match=r"config 'color': there is no split 'tst'.* train \(\d+\)"):
        anidata.load_dataset(dataset, "tst", config="color")
    with pytest.raises(UnknownPart, match="the config 'color' has no lineart; 'lineart' has"):
        anidata.load_dataset(dataset, styles=["xdog"], config="color")
    copied = shutil.copytree(work, tmp_path / "work")
    run("shard", copied, copied / "dataset", *options("shard.unpaired=false"))
    with pytest.raises(UnknownPart, match=r"its samples are pairs\. Leave the config out"):
        anidata.load_dataset(copied / "dataset", config="color")


@pytest.mark.slow
def test_the_card_s_code_runs_as_printed(dataset, tmp_path):
    pytest.importorskip("datasets")
    blocks = re.findall(r"```python\n(.*?)```", (dataset / "README.md").read_text(), re.DOTALL)
    assert [re.search(r"webdataset|datasets", block)[0] for block in blocks] == ["webdataset", "datasets"]
    printed = python("\n".join(blocks), dataset, tmp_path).splitlines()
    expected = {f"{c} {key} (64, 64)" for c in CONFIGS for key in samples(dataset, c, "train")}
    assert sorted(printed) == sorted(expected)


def python(code: str, folder: Path, home: Path, *words: str | Path) -> str:
    """The output of a program, run in a folder."""
    hub = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    words = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(
        words, cwd=folder, env=os.environ | hub, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = """
import json, sys
from datasets import Image, load_dataset

answers = {}
for config, member in {"color": "color.jpg", "lineart": "lineart.png"}.items():
    for streaming in (True, False):
        splits = load_dataset(sys.argv[1], config, streaming=streaming)
        assert all(isinstance(part.features[member], Image) for part in splits.values())
        answers[f"{config} {streaming}"] = {
            split: [[row["__key__"], row["json"], row[member].size] for row in part]
            for split, part in splits.items()
        }
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_datasets_loads_both_configs_by_their_names(dataset, tmp_path):
    pytest.importorskip("datasets")
    for name, splits in json.loads(python(LOAD, tmp_path, tmp_path, dataset)).items():
        for split in ("train", "val"):
            files = samples(dataset, name.split()[0], split)
            assert splits[split] == [[k, json.loads(files[k]["json"]), [64, 64]] for k, *_ in splits[split]]
            assert sorted(key for key, *_ in splits[split]) == sorted(files)


def test_webdataset_reads_both_configs(dataset):
    webdataset = pytest.importorskip("webdataset")
    for config, member in {"color": "color.jpg", "lineart": "lineart.png"}.items():
        tars = [str(tar) for tar in sorted((dataset / "data").glob(f"{config}-train-*.tar"))]
        pictures = webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8").to_tuple(member, "json")
        read = {about["key"]: picture.shape for picture, about in pictures}
        assert read == dict.fromkeys(samples(dataset, config, "train"), (64, 64, 3))


# --- the audit ----------------------------------------------------------------------------------------------


def rewrite(dataset: Path, name: str, read: dict[str, dict[str, bytes]]) -> None:
    """Write a tar anew, without the documents that tell of it: only its content is looked at."""
    with tarfile.open(dataset / f"data/{name}", "w") as tar:
        for key, files in sorted(read.items()):
            for suffix, data in sorted(files.items()):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    for beside in ("manifest.json", "index", "metadata"):
        path = dataset / beside
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def first_tar(dataset: Path, config: str, split: str = "train") -> str:
    return min(tar.name for tar in (dataset / "data").glob(f"{config}-{split}-*.tar"))


def in_tar(dataset: Path, name: str) -> dict[str, dict[str, bytes]]:
    read: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(dataset / f"data/{name}") as file:
        for member in file:
            key, _, suffix = member.name.partition(".")
            read[key][suffix] = file.extractfile(member).read()
    return read


def test_the_audit_finds_a_sound_set_sound_and_counts_by_config(dataset):
    report = audited(dataset)
    assert report.sound, report.findings
    assert report.samples == {
        f"{c}-{s}": len(samples(dataset, c, s)) for c in CONFIGS for s in ("train", "val")
    }


def test_the_audit_finds_a_key_in_both_configs(copy):
    name = first_tar(copy, "lineart")
    read = in_tar(copy, name)
    moved = next(iter(samples(copy, "color", "train")))
    read[moved] = read.pop(next(iter(read)))
    rewrite(copy, name, read)
    report = audited(copy)
    assert report.counts == {"leak_key": 1}
    (leak,) = report.findings
    assert "color-train and lineart-train have a sample of this name" in leak.message


def test_the_audit_finds_a_cluster_in_both_configs(copy):
    tables = {config: min((copy / "metadata").glob(f"{config}-train-*.parquet")) for config in CONFIGS}
    color, line = (pq.read_table(tables[config]) for config in CONFIGS)
    spoiled = line.to_pylist()
    spoiled[0]["cluster"] = color["cluster"][0].as_py()
    pq.write_table(line.from_pylist(spoiled, schema=line.schema), tables["lineart"])
    (copy / "manifest.json").unlink()
    report = audited(copy)
    assert report.counts == {"leak_cluster": 1}
    (leak,) = report.findings
    assert leak.message.startswith(f"cluster {spoiled[0]['cluster']}: color-train has members of it")


def test_the_audit_finds_a_line_s_own_picture_among_the_colors(copy):
    """A copy of a line, by its bytes, in the other config under another key."""
    name = first_tar(copy, "color")
    read = in_tar(copy, name)
    line = next(iter(samples(copy, "lineart", "val").values()))["lineart.png"]
    page = io.BytesIO()
    PIL.Image.open(io.BytesIO(line)).convert("RGB").save(page, "JPEG", quality=95)
    read[next(iter(read))]["color.jpg"] = page.getvalue()
    rewrite(copy, name, read)
    report = audited(copy)
    assert report.counts == {"leak_near": 1}
    assert {"color-train", "lineart-val"} <= set(
        re.findall(r"(?:color|lineart)-\w+", report.findings[0].message + report.findings[0].where)
    )


@pytest.mark.parametrize(
    ("config", "suffix", "code"),
    [("lineart", "lineart.png", "polarity"), ("color", "color.jpg", "suffixes"), ("lineart", "json", "json")],
)
def test_the_audit_holds_each_config_to_its_own_schema(copy, config, suffix, code):
    name = first_tar(copy, config)
    read = in_tar(copy, name)
    key = next(iter(read))
    if code == "polarity":
        page = io.BytesIO()
        PIL.Image.open(io.BytesIO(read[key][suffix])).convert("RGB").save(page, "PNG")
        read[key][suffix] = page.getvalue()
    elif code == "suffixes":
        del read[key][suffix]
    else:
        read[key][suffix] = json.dumps(json.loads(read[key][suffix]) | {"tags": None}).encode()
    rewrite(copy, name, read)
    assert audited(copy).counts == {code: 1}
