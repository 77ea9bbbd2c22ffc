"""`audit` finds each defect that is planted, by its own name, and nothing where nothing is planted."""

import hashlib
import io
import json
import os
import random
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from anidata.audit import audit, contents
from anidata.audit import leaks as audit_leaks
from anidata.audit import pictures as audit_pictures
from anidata.audit import samples as audit_samples
from anidata.audit import tar as audit_tar
from anidata.duplicates import phash, place_codes, windows
from anidata.duplicates.window_join import CROWD, between, near
from anidata.engine.engine import Engine, Watch
from anidata.errors import FormatError, WorkspaceError
from anidata.imaging import decode
from anidata.stages.dedup.candidates import JoinPart
from anidata.tar import writer as tar_writer
from shared import SHARED

ORIGINALS = SHARED / "data" / "dups" / "originals"


@pytest.fixture(scope="module")
def engine():
    with Engine(workers=2) as engine:
        yield engine


def run(engine, *folders, **settings):
    return audit.run(folders, audit.Config(**settings), engine)


# --- data sets ----------------------------------------------------------------------------------------------


def painting(seed, size=(96, 72)):
    """Colored clouds: no two seeds look alike."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def drawing(seed, size=(96, 72), paper=255):
    page = Image.new("L", size, paper)
    points = [tuple(p) for p in np.random.default_rng(seed).integers(0, min(size), (5, 2)).tolist()]
    ImageDraw.Draw(page).line(points, fill=255 - paper, width=2)
    return page


def encoded(picture, form="PNG", **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def about(seed, **fields):
    return json.dumps(
        {"key": f"k{seed:04}", "width": 96, "ink": 0.25, "tags": "1girl, hat"} | fields
    ).encode()


def pair(seed):
    """A sample in our own layout: suffix → bytes."""
    return {"color.png": encoded(painting(seed)), "json": about(seed), "lineart.png": encoded(drawing(seed))}


def photo(seed):
    """A sample in another common layout."""
    return {"cls": b"3", "jpg": encoded(painting(seed), "JPEG", quality=92), "txt": b"a cloud"}


def write(path, samples):
    """A tar by webdataset's own writer. samples: key → suffix → bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path), encoder=False) as tar:
        for key, files in samples.items():
            tar.write({"__key__": key, **files})


def write_members(path, members):
    """A tar by anidata's writer, member by member."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        tar = tar_writer.TarWriter(file)
        for name, data in members:
            tar.add(name, data)
        tar.close()


def members_of(samples):
    return [(f"{key}.{suffix}", data) for key, files in samples.items() for suffix, data in files.items()]


@pytest.fixture
def content():
    """Tar → key → suffix → bytes, of a sound data set."""
    return {name: {f"k{seed:04}": pair(seed) for seed in seeds} for name, seeds in TARS.items()}


TARS = {
    "train-00000-of-00002": range(3),
    "train-00001-of-00002": range(3, 6),
    "val-00000-of-00001": range(6, 8),
}
TRAIN, SECOND, VAL = TARS


def build(folder, content):
    """The tars, metadata, index and manifest of our own layout, made without anidata."""
    for name, samples in content.items():
        write_members(folder / f"data/{name}.tar", members_of(samples))
        (folder / "metadata").mkdir(exist_ok=True)
        pq.write_table(pa.table({"key": list(samples)}), folder / f"metadata/{name}.parquet")
        (folder / "index").mkdir(exist_ok=True)
        lines = []
        with tarfile.open(folder / f"data/{name}.tar") as tar:
            entries = tar.getmembers()
        for key in samples:
            own = [e for e in entries if e.name.split(".")[0] == key]
            lines.append(
                " ".join(f"{e.name.split('.', 1)[1]} {e.offset_data} {e.size} {e.name}" for e in own)
            )
        (folder / f"index/{name}.idx").write_text("\n".join([f"v1.2 {len(lines)}", *lines]) + "\n")
    shards = [
        {"url": f"../data/{n}.tar", "nsamples": len(s), "filesize": (folder / f"data/{n}.tar").stat().st_size}
        for n, s in content.items()
    ]
    (folder / "index/shardindex.json").write_text(json.dumps({"shardlist": shards}))
    sign(folder)
    return folder


def sign(folder):
    """Write the manifest of what is there."""
    there = {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "manifest.json"
    }
    files = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in there.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


def assert_only(report, code, where, count=1):
    assert report.counts == {code: count}, report.findings
    assert next(f.where for f in report.findings if f.code == code) == where
    assert not report.sound


def with_gray_lines(content):
    """Lines as dark as the picture is."""
    for samples in content.values():
        for files in samples.values():
            rgb = np.asarray(Image.open(io.BytesIO(files["color.png"])))
            files["lineart.png"] = encoded(Image.fromarray((rgb.mean(axis=2) * 0.95).astype(np.uint8)))


# --- sound sets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaks", [False, True])
def test_it_tells_how_much_of_the_color_the_gray_of_lines_gives_away(tmp_path, content, engine, leaks):
    if leaks:
        with_gray_lines(content)
    shares = run(engine, build(tmp_path, content)).told["lineart.png"]
    assert (shares["gray"] > shares["binarized"] + 0.3) == leaks


def test_our_own_layout_is_sound_and_counted_by_split(tmp_path, content, engine):
    report = run(engine, build(tmp_path, content))
    assert report.sound, report.findings
    assert (report.samples, report.shards) == ({"train": 6, "val": 2}, 3)
    assert json.loads(json.dumps(report.to_json())) == {
        "sound": True,
        "samples": {"train": 6, "val": 2},
        "shards": 3,
        "findings": [],
        "counts": {},
        "told": {"lineart.png": {"gray": 0.0, "binarized": 0.0}},
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train/0.tar", "valid/0.tar"),
        ("set-train-0000.tar", "set-validation-0000.tar"),
        ("Train_1.TAR", "dev7.tar"),
    ],
)
def test_a_foreign_webdataset_without_manifest_is_sound(tmp_path, names, engine):
    for n, name in enumerate(names):
        write(tmp_path / name, {f"{seed:06}": photo(seed) for seed in range(3 * n, 3 * n + 3)})
    report = run(engine, tmp_path)
    assert report.sound, report.findings
    assert sorted(report.samples.values()) == [3, 3]


def test_numbers_as_keys_may_recur_in_another_data_set(tmp_path, engine):
    write(tmp_path / "a/train-0.tar", {"000000": photo(1)})
    write(tmp_path / "b/test-0.tar", {"000000": photo(2)})
    report = run(engine, tmp_path / "a", tmp_path / "b")
    assert report.sound, report.findings
    assert report.samples == {"a:train": 1, "b:test": 1}


def test_sprites_padded_on_white_are_no_duplicates(tmp_path, engine):
    """All of them are a dark upright figure on a white square: whole, their phashes are near."""

    def sprite(seed):
        page = Image.new("RGB", (256, 256), "white")
        page.paste(painting(seed, (70, 200)).point(lambda v: v // 3), (93, 28))
        return encoded(page)

    codes = [phash.codes(np.asarray(Image.open(io.BytesIO(sprite(s))))).phash for s in range(40)]
    assert min((a ^ b).bit_count() for n, a in enumerate(codes) for b in codes[:n]) <= 6
    write(tmp_path / "train.tar", {f"a{s}": {"png": sprite(s)} for s in range(20)})
    write(tmp_path / "test.tar", {f"b{s}": {"png": sprite(s)} for s in range(20, 40)})
    report = run(engine, tmp_path)
    assert report.sound, report.findings


def test_blank_pictures_are_no_near_duplicates(tmp_path, engine):
    write(tmp_path / "train.tar", {"a": {"png": encoded(Image.new("RGB", (64, 64), "white"))}})
    write(tmp_path / "test.tar", {"b": {"png": encoded(Image.new("RGB", (80, 64), "white"))}})
    assert run(engine, tmp_path).sound


def test_masks_beside_photos_may_be_alike(tmp_path, engine):
    mask = encoded(drawing(1))
    for n, split in enumerate(("train", "test")):
        write(
            tmp_path / f"{split}.tar",
            {f"{n}{s}": {"jpg": photo(10 * n + s)["jpg"], "mask.png": mask} for s in range(2)},
        )
    assert run(engine, tmp_path).sound


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.dictionaries(
        st.sampled_from(["train", "val", "test", "extra/more", "a/train"]),
        st.lists(st.integers(0, 3), min_size=1, max_size=2),
        min_size=1,
    ),
    own=st.booleans(),
    forms=st.sets(st.sampled_from(["webp", "txt", "a.json", "b.json", "npy"])),
)
def test_where_nothing_is_planted_nothing_is_found(tmp_path_factory, engine, sizes, own, forms):
    folder, seed, extra = tmp_path_factory.mktemp("set"), 0, {}
    for split, tars in sizes.items():
        for number, count in enumerate(tars):
            samples = {}
            for _ in range(count):
                seed += 1
                extra = {
                    "webp": encoded(painting(seed), "WEBP"),
                    "txt": b"t",
                    "a.json": about(seed),
                    "b.json": b"[1]",
                    "npy": b"\x93NUMPY",
                }
                files = (pair if own else photo)(seed)
                samples[f"s{seed:05}"] = files | {form: extra[form] for form in sorted(forms)}
            writer = write if seed % 2 else lambda path, found: write_members(path, members_of(found))
            writer(folder / f"{split}-{number:05}-of-{len(tars):05}.tar", samples)
    report = run(engine, folder)
    assert report.sound, report.findings
    assert sum(report.samples.values()) == seed


# --- planted defects ----------------------------------------------------------------------------------------


def without_lineart(content):
    del content[SECOND]["k0004"]["lineart.png"]


def with_a_cut_picture(content):
    content[SECOND]["k0004"]["color.png"] = content[SECOND]["k0004"]["color.png"][:-20]


def with_a_smaller_line(content):
    content[SECOND]["k0004"]["lineart.png"] = encoded(drawing(4, (95, 72)))


def with_inverted_lines(content):
    content[SECOND]["k0004"]["lineart.png"] = encoded(drawing(4, paper=0))


def with_colored_lines(content):
    content[SECOND]["k0004"]["lineart.png"] = encoded(drawing(4).convert("RGB"))


def with_one_bit_lines(content):
    content[SECOND]["k0004"]["lineart.png"] = encoded(drawing(4).convert("1"))


def with_broken_json(content):
    content[SECOND]["k0004"]["json"] = b'{"key": '


def with_deep_json(content):
    content[SECOND]["k0004"]["json"] = b"[" * 100_000


def with_another_type(content):
    content[SECOND]["k0004"]["json"] = about(4, ink="0.25")


def with_another_name(content):
    content[SECOND]["k0004"]["json"] = about(4, inc=0.25)


def with_a_null(content):
    content[SECOND]["k0004"]["json"] = about(4, tags=None)


def with_the_same_file(content):
    content[VAL]["k0006"]["color.png"] = content[TRAIN]["k0001"]["color.png"]


def with_a_reencoded_copy(content):
    again = Image.open(io.BytesIO(encoded(painting(1), "JPEG", quality=75)))
    content[VAL]["k0006"]["color.png"] = encoded(again)


def with_a_mirrored_copy(content):
    content[VAL]["k0006"]["color.png"] = encoded(ImageOps.mirror(painting(1)))


def with_a_framed_copy(content):
    page = Image.new("RGB", (96, 72), "white")
    page.paste(painting(1, (66, 48)), (20, 11))
    content[VAL]["k0006"]["color.png"] = encoded(page)


def with_a_key_in_two_splits(content):
    content[VAL]["k0001"] = content[VAL].pop("k0006") | {"json": about(1)}


def with_a_key_in_two_tars(content):
    content[SECOND]["k0001"] = content[SECOND].pop("k0003")


def with_a_name_that_climbs(content):
    content[SECOND]["../../etc/k0009"] = pair(9)


def with_an_absolute_name(content):
    content[SECOND]["/etc/k0009"] = pair(9)


DEFECTS = [
    (without_lineart, "suffixes", f"{SECOND}.tar/k0004", 1),
    (with_a_cut_picture, "corrupt", f"{SECOND}.tar/k0004.color.png", 1),
    (with_a_smaller_line, "size", f"{SECOND}.tar/k0004.lineart.png", 1),
    (with_inverted_lines, "polarity", f"{SECOND}.tar/k0004.lineart.png", 1),
    (with_colored_lines, "polarity", f"{SECOND}.tar/k0004.lineart.png", 1),
    (with_one_bit_lines, "polarity", f"{SECOND}.tar/k0004.lineart.png", 1),
    (with_broken_json, "json", f"{SECOND}.tar/k0004.json", 1),
    (with_deep_json, "json", f"{SECOND}.tar/k0004.json", 1),
    (with_another_type, "json", f"{SECOND}.tar/k0004.json", 1),
    (with_another_name, "json", f"{SECOND}.tar/k0004.json", 1),
    (with_a_null, "json", f"{SECOND}.tar/k0004.json", 1),
    (with_the_same_file, "leak_exact", f"{VAL}.tar/k0006.color.png", 1),
    (with_a_reencoded_copy, "leak_near", f"{VAL}.tar/k0006.color.png", 1),
    (with_a_mirrored_copy, "leak_near", f"{VAL}.tar/k0006.color.png", 1),
    (with_a_framed_copy, "leak_near", f"{VAL}.tar/k0006.color.png", 1),
    (with_a_key_in_two_splits, "leak_key", f"{VAL}.tar/k0001", 1),
    (with_a_key_in_two_tars, "repeated", f"{SECOND}.tar/k0001", 1),
    (with_a_name_that_climbs, "unsafe_name", f"{SECOND}.tar/../../etc/k0009.color.png", 3),
    (with_an_absolute_name, "unsafe_name", f"{SECOND}.tar//etc/k0009.color.png", 3),
]


@pytest.mark.parametrize(
    ("plant", "code", "where", "count"), DEFECTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_planted_defect_is_found_and_nothing_else(tmp_path, content, engine, plant, code, where, count):
    plant(content)
    for name, samples in content.items():
        write_members(tmp_path / f"{name}.tar", members_of(samples))
    assert_only(run(engine, tmp_path), code, where, count)


def test_a_corrupt_picture_says_how(tmp_path, engine):
    write(
        tmp_path / "a.tar", {"k": {"jpg": photo(1)["jpg"][:500]}, "l": {"jpg": b"<html>"}, "m": {"jpg": b""}}
    )
    assert [f.message.split(":")[0] for f in run(engine, tmp_path).findings] == [
        "truncated",
        "not_an_image",
        "empty",
    ]


def test_members_that_stand_apart_are_scattered(tmp_path, engine):
    first, second = (members_of({f"k{n}": photo(n)}) for n in (1, 2))
    write_members(tmp_path / "a.tar", [*first[:1], *second, *first[1:]])
    assert_only(run(engine, tmp_path), "scattered", "a.tar/k1")


@pytest.mark.parametrize("again", [slice(0, 3), slice(2, 3)])
def test_a_sample_or_a_file_of_it_that_comes_twice_in_a_tar_is_repeated(tmp_path, engine, again):
    first, second = (members_of({f"k{n}": photo(n)}) for n in (1, 2))
    write_members(tmp_path / "a.tar", [*first, *second, *first[again]])
    assert_only(run(engine, tmp_path), "repeated", "a.tar/k1")


def test_most_samples_say_which_suffixes_there_are(tmp_path, engine):
    write(tmp_path / "a.tar", {f"k{n}": photo(n) | ({"json": b"{}"} if n == 3 else {}) for n in range(5)})
    report = run(engine, tmp_path)
    assert_only(report, "suffixes", "a.tar/k3")
    assert report.findings[0].message == "has json, unlike most samples"


def test_a_null_of_a_foreign_data_set_goes_with_any_type(tmp_path, engine):
    values = [None, "a", None, [], "b"]
    write(
        tmp_path / "a.tar",
        {f"k{n}": {"json": json.dumps({"caption": v}).encode()} for n, v in enumerate(values)},
    )
    assert run(engine, tmp_path).sound
    write(tmp_path / "b.tar", {"l": {"json": b'{"caption": 1}'}})
    assert_only(run(engine, tmp_path), "json", "b.tar/l.json")


def test_findings_are_bounded_but_all_are_counted(tmp_path, engine):
    write(tmp_path / "a.tar", {f"k{n:03}": {"jpg": b"no picture"} for n in range(50)})
    report = run(engine, tmp_path, examples=3)
    assert report.counts == {"corrupt": 50}
    assert [f.where for f in report.findings] == [f"a.tar/k{n:03}.jpg" for n in range(3)]


def test_what_is_found_depends_neither_on_chunks_nor_on_workers(tmp_path, content, engine, monkeypatch):
    for plant, *_ in DEFECTS:
        plant(content)
    for name, samples in content.items():
        write_members(tmp_path / f"{name}.tar", members_of(samples))
    report = run(engine, tmp_path)
    monkeypatch.setattr(contents, "CHUNK", 1)
    assert run(engine, tmp_path) == report
    with Engine(workers=1) as alone:
        assert run(alone, tmp_path) == report


# --- files around the tars ----------------------------------------------------------------------------------


def test_a_file_that_differs_from_the_manifest_is_found(tmp_path, content, engine):
    build(tmp_path, content)
    (tmp_path / "README.md").write_text("a")
    sign(tmp_path)
    (tmp_path / "README.md").write_text("b")
    assert_only(run(engine, tmp_path), "checksum", "README.md")
    (tmp_path / "README.md").write_text("longer")
    assert_only(run(engine, tmp_path), "checksum", "README.md")
    (tmp_path / "README.md").unlink()
    assert_only(run(engine, tmp_path), "missing", "README.md")


def test_a_file_in_data_that_the_manifest_does_not_know_is_extra(tmp_path, content, engine):
    build(tmp_path, content)
    (tmp_path / "data/notes.txt").write_text("hello")
    (tmp_path / "notes.txt").write_text("hello")
    assert_only(run(engine, tmp_path), "extra", "data/notes.txt")


def test_an_index_that_differs_from_its_tar_is_found(tmp_path, content, engine):
    path = build(tmp_path, content) / f"index/{VAL}.idx"
    path.write_text(path.read_text().replace(" 512 ", " 513 "))
    sign(tmp_path)
    assert_only(run(engine, tmp_path), "index", f"data/{VAL}.tar")


def test_a_shard_index_that_differs_from_the_tars_is_found(tmp_path, content, engine):
    path = build(tmp_path, content) / "index/shardindex.json"
    for text in (path.read_text().replace('"nsamples": 2', '"nsamples": 3'), "[]", '{"shardlist": [1]}', "{"):
        path.write_text(text)
        sign(tmp_path)
        assert_only(run(engine, tmp_path), "index", "index/shardindex.json")


def test_a_metadata_table_with_other_rows_than_samples_is_found(tmp_path, content, engine):
    path = build(tmp_path, content) / f"metadata/{VAL}.parquet"
    pq.write_table(pa.table({"key": ["k0006"]}), path)
    sign(tmp_path)
    assert_only(run(engine, tmp_path), "metadata", f"metadata/{VAL}.parquet")
    path.write_bytes(b"PAR1 no table PAR1")
    sign(tmp_path)
    assert_only(run(engine, tmp_path), "metadata", f"metadata/{VAL}.parquet")


def test_a_manifest_that_leads_out_of_the_data_set_is_not_followed(tmp_path, content, engine):
    path = build(tmp_path / "set", content) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] |= {"../secret": {"bytes": 1, "sha256": ""}}
    path.write_text(json.dumps(manifest))
    assert_only(run(engine, tmp_path / "set"), "unsafe_name", "manifest.json")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00"])
def test_a_broken_manifest_is_found(tmp_path, content, engine, text):
    (build(tmp_path, content) / "manifest.json").write_text(text)
    assert_only(run(engine, tmp_path), "manifest", "manifest.json")


def test_somebody_elses_manifest_is_no_concern(tmp_path, engine):
    write(tmp_path / "a.tar", {"k": photo(1)})
    (tmp_path / "manifest.json").write_text('{"files": ["a.tar"]}')
    assert run(engine, tmp_path).sound


def test_another_format_is_an_error_with_a_remedy(tmp_path, content, engine):
    path = build(tmp_path, content) / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(FormatError, match="format 99; this version of anidata reads 1"):
        run(engine, tmp_path)


def test_a_folder_without_tars_says_what_to_type(tmp_path, engine):
    with pytest.raises(WorkspaceError, match=r"has no \*.tar in it.*anidata shard WORK"):
        run(engine, tmp_path)
    with pytest.raises(WorkspaceError, match="there is no such folder or tar"):
        run(engine, tmp_path / "nothing")


def test_links_out_of_the_data_set_are_not_followed(tmp_path, engine):
    write(tmp_path / "elsewhere/b.tar", {"k": photo(1)})
    write(tmp_path / "set/a.tar", {"l": photo(2)})
    (tmp_path / "set/b.tar").symlink_to(tmp_path / "elsewhere/b.tar")
    (tmp_path / "set/more").symlink_to(tmp_path / "elsewhere")
    report = run(engine, tmp_path / "set")
    assert_only(report, "tar", "b.tar")
    assert report.shards == 1


# --- several data sets --------------------------------------------------------------------------------------


def test_a_train_set_against_a_test_set_leaks(tmp_path, engine):
    write(tmp_path / "mine/train.tar", {"a": photo(1), "b": photo(2)})
    write(tmp_path / "bench/testing.tar", {"c": photo(2) | {"cls": b"4"}, "d": photo(3)})
    assert_only(run(engine, tmp_path / "mine", tmp_path / "bench"), "leak_exact", "bench:testing.tar/c.jpg")
    assert run(engine, tmp_path / "mine").sound
    assert run(engine, tmp_path / "bench").sound


def test_one_split_by_whatever_name_may_recur_in_another_data_set(tmp_path, engine):
    write(tmp_path / "a/val.tar", {"a": photo(1)})
    write(tmp_path / "b/validation.tar", {"b": photo(1)})
    assert run(engine, tmp_path / "a", tmp_path / "b").sound


def test_a_key_made_from_content_leaks_across_data_sets(tmp_path, engine):
    write(tmp_path / "a/train.tar", {"0123456789abcdef01234567": photo(1)})
    write(tmp_path / "b/test.tar", {"0123456789abcdef01234567": photo(2)})
    assert_only(
        run(engine, tmp_path / "a", tmp_path / "b"), "leak_key", "b:test.tar/0123456789abcdef01234567"
    )


def test_single_tars_are_audited_by_their_names(tmp_path, engine):
    write(tmp_path / "train.tar", {"a": photo(1)})
    write(tmp_path / "test.tar", {"b": photo(1)})
    report = run(engine, tmp_path / "train.tar", tmp_path / "test.tar")
    assert_only(report, "leak_exact", "test.tar:test.tar/b.jpg")


# --- hostile tars -------------------------------------------------------------------------------------------


def scan(path):
    return audit_tar.scan(audit_tar.Tar(path, "x.tar", None, 20), Watch())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "x.tar"
    write(path, {f"k{n}": {"cls": b"1", "txt": b"text" * 100} for n in range(3)})
    return path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tar_cut_anywhere_is_found(tmp_path, plain, data):
    end = 6 * 1024 + 1024  # headers and contents, and two blocks of zeros; webdataset pads them further
    cut = data.draw(st.integers(0, end - 1))
    (tmp_path / "x.tar").write_bytes(plain[:cut])
    assert list(scan(tmp_path / "x.tar").notes.counts) == ["tar"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_is_found(tmp_path, plain, data):
    """Readers, tarfile too, take a damaged header for the end, and lose the rest in silence."""
    hurt = bytearray(plain)
    offset = data.draw(st.integers(0, 153) | st.just(156))  # 154 and 155 only end the checksum's digits
    hurt[data.draw(st.integers(0, 5)) * 1024 + offset] ^= 1 << data.draw(st.integers(0, 6))
    (tmp_path / "x.tar").write_bytes(hurt)
    assert "tar" in scan(tmp_path / "x.tar").notes.counts


def three_files():
    """Headers at 0, 1024 and 2048."""
    file = io.BytesIO()
    tar = tar_writer.TarWriter(file)
    for name in ("a.txt", "b.txt", "c.txt"):
        tar.add(name, b"text")
    tar.close()
    return file.getvalue()


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (b"", "the end mark is missing"),
        (bytes(512), "half of the end mark is missing"),
        (bytes(512) + b"x" * 512, "zeros where a header"),
    ],
)
def test_an_end_mark_that_is_not_whole_is_found(tmp_path, mark, message):
    (tmp_path / "x.tar").write_bytes(three_files()[: 3 * 1024] + mark)
    result = scan(tmp_path / "x.tar")
    assert dict(result.notes.counts) == {"tar": 1}
    assert "breaks off after 3 files: " in result.notes.kept["tar"][0][1]
    assert message in result.notes.kept["tar"][0][1]
    assert result.samples == 3


def test_a_sparse_file_is_found(tmp_path):
    """Readers that go by an index get its map and its pieces for its bytes."""
    hurt = bytearray(three_files())
    hurt[1024 + 156 : 1024 + 157], hurt[1024 + 148 : 1024 + 156] = b"S", b" " * 8
    hurt[1024 + 148 : 1024 + 156] = b"%06o\0 " % sum(hurt[1024:1536])
    (tmp_path / "x.tar").write_bytes(hurt)
    (note,) = scan(tmp_path / "x.tar").notes.kept["tar"]
    assert note.message == (
        "breaks off after 1 files: a sparse file at byte 1,536: its bytes don't lie side by side"
    )


def test_data_behind_the_end_mark_are_found(tmp_path, plain):
    (tmp_path / "x.tar").write_bytes(plain + plain)
    result = scan(tmp_path / "x.tar")
    assert dict(result.notes.counts) == {"tar": 1}
    assert "behind the end mark" in result.notes.kept["tar"][0][1]


def hostile(kind):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("k.jpg")
        if kind in ("link", "symlink", "fifo", "device", "folder"):
            types = {
                "link": tarfile.LNKTYPE,
                "symlink": tarfile.SYMTYPE,
                "fifo": tarfile.FIFOTYPE,
                "device": tarfile.CHRTYPE,
                "folder": tarfile.DIRTYPE,
            }
            info.type, info.linkname = types[kind], "/etc/passwd"
        elif kind == "sparse":
            info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
        elif kind == "huge":
            info.size = 1 << 60
        elif kind == "pax":
            info.type, info.size = tarfile.XHDTYPE, 512
        content = b"7 a=b\n" * 100 if kind == "pax" else b"\xff" * 512
        tar.addfile(info, io.BytesIO(content) if info.size == 512 else None)
    data = bytearray(file.getvalue())
    if kind == "negative":
        data[124:136] = b"\xff" * 10 + b"\xfc\x00"
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    "kind", ["link", "symlink", "fifo", "device", "folder", "sparse", "huge", "pax", "negative"]
)
def test_a_hostile_tar_harms_nobody(tmp_path, engine, kind):
    write(tmp_path / "good.tar", {"a": photo(1)})
    (tmp_path / "bad.tar").write_bytes(hostile(kind))
    report = run(engine, tmp_path)
    assert report.samples["all"] <= 2
    is_passed_over = kind in ("link", "symlink", "fifo", "device", "folder")  # by all readers
    assert report.sound == is_passed_over, report.findings


def test_long_names_that_speak_of_long_names_harm_nobody(tmp_path):
    """tarfile calls itself for each of them."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 5
    (tmp_path / "x.tar").write_bytes((header.tobuf(tarfile.GNU_FORMAT) + b"name\0".ljust(512, b"\0")) * 5000)
    assert list(scan(tmp_path / "x.tar").notes.counts) == ["tar"]


def test_a_pipe_is_no_tar(tmp_path, engine):
    write(tmp_path / "a.tar", {"a": photo(1)})
    os.mkfifo(tmp_path / "b.tar")
    assert_only(run(engine, tmp_path), "tar", "b.tar")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
def test_noise_is_no_tar(tmp_path, data):
    (tmp_path / "x.tar").write_bytes(data)
    assert list(scan(tmp_path / "x.tar").notes.counts) == ["tar"]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (17, 15), (3, 20_000)])
def test_odd_pictures_have_codes(size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert coded(0, encoded(Image.fromarray(rgb))).windows.dtype == windows.CODE


# --- the join -----------------------------------------------------------------------------------------------


def coded(run, data):
    """A picture as workers hand it over, from its bytes."""
    return audit_samples.picture(
        run, "png", tar_writer.Member("x.png", 512, len(data)), data, decode.decode(data, 10**8)
    )


NO_PLACES = np.empty(0, place_codes.PLACE)


def family(rng, pictures):
    """Pictures with windows a few bits from few centers, as workers hand them over."""
    centers = rng.integers(0, 2**64, max(pictures // 4, 1), dtype=np.uint64)
    for number in range(pictures):
        kinds = np.flatnonzero(rng.random(len(windows.WINDOWS)) < 0.6)
        seen = np.zeros(len(kinds), windows.CODE)
        seen["kind"], seen["code"] = kinds, centers[rng.integers(0, len(centers), len(kinds))]
        for _ in range(6):
            seen["code"] ^= np.uint64(1) << rng.integers(0, 64, len(kinds), dtype=np.uint64)
        seen["fine"] = np.where(rng.random((len(kinds), 4)) < 0.8, np.uint64(0), np.uint64(2**64 - 1))
        names = {"digest": bytes([number] * 16), "pixels": bytes([number] * 16)}
        yield audit_samples.Picture(
            run=number, suffix="png", offset=0, size=1, windows=seen, places=NO_PLACES, **names
        )


@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_join_between_two_splits_finds_what_dedup_s_join_of_all_finds(seed, flips):
    rng = np.random.default_rng(seed)
    spool, drawn = audit_pictures.Spool(), list(family(rng, 60))
    for some in (drawn[30:], drawn[:30]):  # workers finish in any order
        spool.add(0, some)
    pictures = spool.pictures()
    is_ours = rng.random(60) < 0.4
    reach = audit_leaks.Reach(8, flips)
    everyone = np.ones(60, np.bool_)
    met = near(pictures.windows, everyone, everyone, JoinPart(None, 8, flips, (0, 1)))
    across = is_ours[met.i] != is_ours[met.j]
    got = between(pictures.windows, everyone, is_ours, reach)
    assert across.sum() > 10
    for column, wanted in zip(got, met, strict=True):
        assert np.array_equal(column, wanted[across])


def test_the_nearest_candidates_come_first_and_are_bounded():
    n = 100
    spool, drawn = audit_pictures.Spool(), list(family(np.random.default_rng(0), n + 1))
    one = np.zeros(1, windows.CODE)
    far = [one.copy() for _ in range(n)]
    for number, seen in enumerate(far):
        seen["code"] = (1 << (number % 9)) - 1 | number << 40 if number % 9 < 3 else (1 << number % 9) - 1
    spool.add(0, [p._replace(windows=w) for p, w in zip(drawn, [one, *far], strict=True)])
    joined = audit_leaks.joined(
        spool.pictures(), np.array([0]), np.arange(1, n + 1), audit_leaks.Reach(8, flips=True)
    )
    distance = [int(far[other - 1]["code"][0]).bit_count() for other in joined.candidates.theirs]
    assert len(distance) == audit_leaks.MOST_TWINS
    assert distance == sorted(distance)


def test_thousands_of_copies_of_one_picture_have_few_candidates():
    n = 10_000  # each with each would be 25 million pairs
    spool = audit_pictures.Spool()
    one = coded(0, encoded(painting(1)))
    spool.add(0, [one] * n)
    joined = audit_leaks.joined(
        spool.pictures(), np.arange(n // 2), np.arange(n // 2, n), audit_leaks.Reach(8, flips=True)
    )
    assert len(joined.candidates.ours) == CROWD**2
    assert len(joined.others) == n // 2 - CROWD
    assert set(joined.center.tolist()) == {0}


# --- figures ------------------------------------------------------------------------------------------------


def page(picture):
    """Padded to 512 px on white, as shards are by default."""
    return encoded(ImageOps.pad(picture, (512, 512), color="white"), "JPEG", quality=95)


def copies():
    """Three kinds of changes, one for each picture in turn."""

    def crop(im):
        return im.crop((im.width // 50, im.height // 50, im.width, im.height))

    def again(im):
        return Image.open(io.BytesIO(encoded(im.resize((im.width // 2, im.height // 2)), "JPEG", quality=50)))

    return [crop, again, ImageOps.mirror]


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the artwork to measure with is not on this machine")
def test_real_artwork_shows_no_false_leak_and_its_copies_do(tmp_path, engine):
    pictures = [Image.open(p).convert("RGB") for p in sorted(ORIGINALS.glob("*.png"))][::2]
    random.Random(0).shuffle(pictures)
    half = len(pictures) // 2
    write(tmp_path / "a/train.tar", {f"a{n:03}": {"jpg": page(p)} for n, p in enumerate(pictures[:half])})
    write(tmp_path / "a/test.tar", {f"b{n:03}": {"jpg": page(p)} for n, p in enumerate(pictures[half:])})
    assert run(engine, tmp_path / "a").sound
    shutil.move(tmp_path / "a/train.tar", tmp_path / "train.tar")
    changed = [page(copies()[n % 3](p)) for n, p in enumerate(pictures[:half])]
    write(tmp_path / "test.tar", {f"c{n:03}": {"jpg": p} for n, p in enumerate(changed)})
    report = run(engine, tmp_path / "train.tar", tmp_path / "test.tar")
    assert report.counts["leak_near"] >= 0.9 * half
