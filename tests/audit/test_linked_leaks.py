"""What dedup would link and two splits share leaks, whichever way it was changed; what differs doesn't."""

import cv2
import numpy as np
import pytest

from anidata.audit import audit, looks
from anidata.duplicates import alignment
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.stages.dedup import verify
from drawings import drawing, save
from inline import Inline
from leaked import encoded, mouth, write


def cut(rgb):
    height, width = rgb.shape[:2]
    return encoded(rgb[height // 20 : height - height // 20, width // 20 : width - width // 20])


def again(rgb):
    """A PNG of what a JPEG has made of it."""
    return encoded(decode.decode(encoded(rgb, "JPEG", quality=70), 10**8).rgb)


def recolored(rgb):
    """Each color turned into its opposite of the same lightness."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 1:] = 255 - lab[..., 1:]
    return encoded(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


CHANGES = {
    "same pixels": (lambda rgb: encoded(rgb, compress_level=0), {"exact"}),
    "encoded again": (again, {"reencoded"}),
    "smaller": (lambda rgb: encoded(cv2.resize(rgb, None, fx=0.6, fy=0.6, interpolation=3)), {"reencoded"}),
    "cut by a tenth": (cut, {"crop"}),
    "mirrored": (lambda rgb: encoded(rgb[:, ::-1]), {"flip"}),
    "turned by a quarter": (lambda rgb: encoded(np.rot90(rgb)), {"turn"}),
    "turned back": (lambda rgb: encoded(np.rot90(rgb, 3)), {"turn"}),
    "upside down": (lambda rgb: encoded(np.rot90(rgb, 2)), {"turn"}),
    "mirrored and turned": (lambda rgb: encoded(np.rot90(rgb[:, ::-1])), {"turn"}),
    "in other colors": (recolored, {"recolor"}),
    "with another mouth": (mouth, {"variant"}),
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An audit of a train set of drawings, and a test set of others and of these, changed, two of each."""
    folder = tmp_path_factory.mktemp("sets")
    seeds = dict(zip(CHANGES, range(0, 2 * len(CHANGES), 2), strict=True))
    train = {f"t{seed:03}": encoded(drawing(seed)) for seed in range(40)}
    write(folder / "train.tar", train)
    test = {f"other{seed:03}": encoded(drawing(seed)) for seed in range(100, 140)}
    for name, (change, _) in CHANGES.items():
        for seed in (seeds[name], seeds[name] + 1):
            test[f"{name.replace(' ', '-')}-{seed:03}"] = change(drawing(seed))
    write(folder / "test.tar", test)
    return audit.run([folder], audit.Config(examples=100), Inline())


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_in_another_split_leaks_as_what_it_is(audited, name):
    leaks = [f for f in audited.findings if name.replace(" ", "-") + "-0" in f.where + f.message]
    assert len(leaks) == 2
    for leak in leaks:
        assert leak.code == "leak_near"
        assert leak.relation in CHANGES[name][1]


def test_each_leak_names_its_own_original(audited):
    for leak in audited.findings:
        key = leak.where if "-" in leak.where else leak.message
        seed = key.rpartition(".")[0].rpartition("-")[2]
        assert f"t{seed}" in leak.where + leak.message


def test_other_drawings_do_not_leak(audited):
    assert audited.counts == {"leak_near": 2 * len(CHANGES)}
    assert not any("tar/other" in finding.where + finding.message for finding in audited.findings)


def test_leaks_are_told_in_json_with_their_relation_and_without_places_on_the_disk(audited):
    told = audited.to_json()
    assert set(told) == {"sound", "samples", "shards", "findings", "counts", "told"}
    assert {row["relation"] for row in told["findings"]} == set.union(
        *(kinds for _, kinds in CHANGES.values())
    )


def test_a_relation_is_dedup_s_own(audited):
    """Of the pair as dedup would look at it, either way it may have met."""
    for leak in audited.leaks:
        if leak.relation in ("exact", "turn"):
            continue
        one, other = (decode.decode(_bytes(side.reference), 10**8).rgb for side in (leak.ours, leak.theirs))
        views = [alignment.View(alignment.thumbnail(rgb)) for rgb in (one, other)]
        whole = lambda one=one, other=other: (verify.Page(one), verify.Page(other))  # noqa: E731
        assert verify.pair_relation(*views, "both", whole) == leak.relation


def _bytes(reference):
    with open(reference.uri.removeprefix("file://"), "rb") as file:
        file.seek(reference.offset)
        return file.read(reference.size)


def balloon(rgb):
    other = rgb.copy()
    cv2.ellipse(other, (110, 90), (70, 45), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(other, (110, 90), (70, 45), 0, 0, 360, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(other, "HELLO!", (60, 100), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2, cv2.LINE_AA)
    return other


def test_parts_and_what_was_drawn_over_leak_where_places_are_looked_for(tmp_path):
    write(tmp_path / "train.tar", {f"t{seed}": encoded(drawing(seed, 480, 560)) for seed in range(8)})
    parts = {f"p{seed}": encoded(drawing(seed, 480, 560)[90:490, 60:410]) for seed in range(4)}
    marked = {f"b{seed}": encoded(balloon(drawing(seed, 480, 560))) for seed in range(4, 8)}
    others = {f"o{seed}": encoded(drawing(seed, 480, 560)) for seed in range(100, 110)}
    write(tmp_path / "test.tar", parts | marked | others)
    report = audit.run([tmp_path], audit.Config(), Inline())
    named = {(leak.ours.where, leak.theirs.where) for leak in report.leaks}
    assert named == {(f"test.tar/{key}.png", f"train.tar/t{key[1]}.png") for key in parts | marked}
    assert {leak.relation for leak in report.leaks} <= {"part", "overlay", "variant"}
    assert all(leak.fit is not None for leak in report.leaks if leak.relation != "variant")
    without = audit.run([tmp_path], audit.Config(places=False), Inline())
    assert len(without.leaks) < len(report.leaks)


def test_without_flips_neither_mirror_images_nor_turns_are_looked_for(tmp_path):
    write(tmp_path / "train.tar", {f"t{seed}": encoded(drawing(seed)) for seed in range(4)})
    changed = {"m": drawing(0)[:, ::-1], "t": np.rot90(drawing(1)), "c": drawing(2)[:, 8:]}
    write(tmp_path / "test.tar", {key: encoded(rgb) for key, rgb in changed.items()})
    report = audit.run([tmp_path], audit.Config(flips=False), Inline())
    assert [finding.relation for finding in report.findings] == ["crop"]


def test_a_crowd_of_copies_leaks_to_the_last(tmp_path):
    rgb = drawing(1)
    write(tmp_path / "train.tar", {"t": encoded(rgb), "u": encoded(drawing(2))})
    crowd = {}
    for number in range(80):
        other = rgb.copy()
        other[number, 5] = (0, 0, 0)  # no two have the same pixels
        crowd[f"c{number:02}"] = encoded(other)
    write(tmp_path / "test.tar", crowd)
    report = audit.run([tmp_path], audit.Config(examples=100), Inline())
    assert report.counts == {"leak_near": 80}
    assert {finding.relation for finding in report.findings} == {"variant"}  # a spot stands out


def test_a_picture_that_can_not_be_opened_again_is_said(tmp_path, monkeypatch):
    write(tmp_path / "train.tar", {"t": encoded(drawing(1))})
    write(tmp_path / "test.tar", {"c": cut(drawing(1))})

    def gone(*_args):
        raise BadImage("missing", "the file is gone")

    monkeypatch.setattr(looks.Opener, "page", gone)
    report = audit.run([tmp_path], audit.Config(), Inline())
    assert report.counts == {"corrupt": 1}
    assert "can't be compared: missing" in report.findings[0].message


# --- anidata's own data sets --------------------------------------------------------------------------------


@pytest.fixture
def pile(tmp_path):
    """Twelve drawings, and each one changed, in one way or another."""
    for seed in range(12):
        save(tmp_path / f"pile/{seed:02}.png", drawing(seed))
    for seed, (name, (change, _)) in enumerate(CHANGES.items()):
        data = change(drawing(seed))
        form = "png" if data.startswith(b"\x89PNG") else "jpg"
        (tmp_path / f"pile/{name}.{form}").write_bytes(data)
    return tmp_path / "pile"


def test_a_data_set_made_with_dedup_of_such_copies_is_sound(pile, tmp_path, command, inline):
    shares = [
        f"--set=shard.splits.{split}={share}"
        for split, share in (("train", 0.5), ("val", 0.25), ("test", 0.25))
    ]
    command("run", "quickstart", tmp_path / "work", pile, "--set=lineart.size=256", *shares)
    told = command("audit", tmp_path / "work/dataset", "--json")
    assert min(told["samples"].values()) >= 2
    assert told["sound"]
