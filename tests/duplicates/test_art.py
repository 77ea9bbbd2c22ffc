"""The art that cleaning and duplicates are measured on, benchmarks/art.py: what is in which half."""

import re
import subprocess
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

import art
import art_archives as archives
import art_table
import art_vectors as vectors

SOURCES = {"debian", "npm", "pypi"}
KINDS = {"cartoons", "sprites", "portraits", "comics", "paintings", "interfaces", "maps", "flags"}
FREE = re.compile(
    r"(L?A?GPL-[\d.]+\+?|GFDL-1\.[23]\+?|CC0-1\.0|CC-BY(-SA)?(-[\d.]+\+?)?|MIT|Expat|Apache-2\.0|Zlib|"
    r"BSD-[23]-clause|Free-Art|public domain)",
    re.IGNORECASE,
)


def made(package="pictures", half="fit", kind="cartoons", count=10, **others):
    """A row of the table."""
    row = {"source": "debian", "version": "", "license": "MIT", "include": ".", "exclude": ""} | others
    return art_table.Package(package=package, half=half, kind=kind, count=count, **row)


def test_every_package_stands_once_in_the_table_in_one_half_with_a_kind_and_a_source():
    packages = art_table.read()
    times = Counter(package.package for package in packages)
    assert times.most_common(1)[0][1] == 1
    assert {package.half for package in packages} == set(art_table.HALVES)
    assert {package.source for package in packages} == SOURCES
    assert {package.kind for package in packages} == KINDS


def test_packages_are_free_by_a_license_that_is_named():
    unfree = [p.package for p in art_table.read() if not all(map(FREE.fullmatch, p.license.split(" / ")))]
    assert unfree == []


def test_npm_s_and_pypi_s_packages_have_a_version():
    for package in art_table.read():
        assert bool(re.fullmatch(r"\d+(\.\d+)+", package.version)) == (package.source != "debian"), package


def test_the_table_names_thirty_packages_and_ten_thousand_pictures_and_no_package_rules_its_half():
    packages = art_table.read()
    halves = Counter()
    for package in packages:
        halves[package.half] += package.count
    assert len(packages) >= 30
    assert min(halves.values()) >= 5000
    assert all(0 < package.count <= art.MOST for package in packages)


def test_what_the_first_figures_were_tuned_on_is_fit():
    tuned = [
        p
        for p in art_table.read()
        if re.match(r"wesnoth|freecol|freeorion|fillets|renpy|openclipart", p.package)
    ]
    assert len(tuned) == 23
    assert {package.half for package in tuned} == {"fit"}


def test_packages_that_styles_were_fitted_or_checked_with_keep_their_half():
    half = {package.package: package.half for package in art.read()}
    fitted = (
        "supertux-data",
        "hedgewars-data",
        "teeworlds-data",
        "krita-data",
        "openmoji",
        "@dicebear/lorelei",
    )
    checked = ("naev-data", "btanks-data", "planetblupi-common", "@iconify-json/noto", "@dicebear/notionists")
    assert {half[name] for name in fitted} == {"fit"}
    assert {half[name] for name in checked} == {"check"}


def test_packages_with_the_same_pictures_are_in_one_half():
    half = {package.package: package.half for package in art.read()}
    for family in ("arcade", "procgen"), ("teeworlds-data", "ddnet-data"), ("tuxtype-data", "tuxmath-data"):
        assert len({half[name] for name in family}) == 1, family


def test_a_package_without_a_half_gets_the_one_with_fewer_pictures_of_its_kind():
    packages = [made("a", "fit", "maps", 30), made("b", "check", "comics", 90), made("new", "", "maps", 5)]
    assert [package.half for package in art_table.split(packages)] == ["fit", "check", "check"]


def test_a_split_says_the_same_whatever_the_order_and_leaves_halves_that_stand():
    packages = [made(f"package-{n}", "", kind, 7 + n) for n, kind in enumerate(("maps", "comics") * 8)]
    packages += [made("given", "check", "maps", 100)]
    halves = {package.package: package.half for package in art_table.split(packages)}
    turned = {package.package: package.half for package in art_table.split(packages[::-1])}
    assert halves == turned
    assert halves["given"] == "check"
    assert {package.half for package in art_table.split(art_table.split(packages))} == set(art_table.HALVES)


def test_the_table_comes_back_as_it_was_written(tmp_path):
    packages = [made("a", include="x|y", exclude='"'), made("@b/c", "check", source="npm", version="1.2")]
    art_table.write(packages, tmp_path / "art.csv")
    assert art_table.read(tmp_path / "art.csv") == packages


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with one package that is unpacked already."""
    monkeypatch.setattr(archives, "ART", tmp_path)
    home = tmp_path / "unpacked/pictures"
    home.mkdir(parents=True)
    return home


def drawn(path, color, side=80):
    """A picture of a few colors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = Image.new("RGB", (side, side), color)
    for n in range(8):
        page.paste((30 * n, color[1], 255 - 30 * n), (n * 9, n * 9, n * 9 + 12, n * 9 + 12))
    page.save(path)


def test_of_a_package_come_what_the_patterns_take_large_enough_not_plain_and_each_once(cache, tmp_path):
    drawn(cache / "art/one.png", (200, 10, 10))
    drawn(cache / "art/two.png", (10, 200, 10))
    drawn(cache / "art/copy.png", (10, 200, 10))
    drawn(cache / "art/one-mask.png", (10, 10, 200))
    drawn(cache / "art/small.png", (10, 10, 200), side=40)
    drawn(cache / "fonts/three.png", (10, 10, 200))
    Image.new("RGB", (90, 90), "red").save(cache / "art/plain.png")
    art.collect(made(include="art/", exclude="MASK"))
    names = {path.name for path in art.files(tmp_path / "pictures/fit/pictures")}
    assert "one.png" in names
    assert len(names & {"two.png", "copy.png"}) == 1
    assert len(names) == 2


def test_no_more_than_so_many_are_taken_and_the_same_ones_again(cache, tmp_path, monkeypatch):
    for n in range(12):
        drawn(cache / f"{n}.png", (20 * n, 90, 10))
    monkeypatch.setattr(art, "MOST", 5)
    art.collect(made())
    first = art.files(tmp_path / "pictures/fit/pictures")
    art.collect(replace(made(), half="check"))
    again = art.files(tmp_path / "pictures/check/pictures")
    assert len(first) == 5
    assert [path.name for path in first] == [path.name for path in again]
    assert not (tmp_path / "pictures/fit/pictures").exists()


def test_what_both_halves_have_goes_from_check(cache, tmp_path):
    drawn(cache / "one.png", (200, 10, 10))
    drawn(cache / "two.png", (10, 200, 10))
    drawn(tmp_path / "pictures/fit/other/same.png", (10, 200, 10))
    art.collect(made(half="check"))
    art.leave_apart()
    assert [path.name for path in art.files(tmp_path / "pictures/check")] == ["one.png"]


def test_a_package_that_cannot_be_had_is_said_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(archives, "ART", tmp_path)
    monkeypatch.setattr(
        archives, "_download", lambda package: ["sh", "-c", "touch half; echo no such package >&2; exit 1"]
    )
    art.collect(made("missing"))
    assert capsys.readouterr().err == "missing: left out, no such package\n"
    assert art.files(tmp_path / "pictures") == []
    assert not (tmp_path / "unpacked/missing").exists()
    assert list((tmp_path / "debs").glob("missing*")) == []


def test_a_drawing_that_the_renderer_dies_of_is_left_out_and_no_other(monkeypatch):
    drawn = []

    def render(jobs, modules):
        if any(job["svg"] == "bad" for job in jobs):
            raise subprocess.CalledProcessError(-6, "node")
        drawn.extend(job["svg"] for job in jobs)

    monkeypatch.setattr(vectors.drawings, "render", render)
    monkeypatch.setattr(archives, "tools", lambda: None)
    vectors._render([{"svg": svg} for svg in ("a", "b", "bad", "c", "d")])
    assert drawn == ["a", "b", "c", "d"]


def test_the_table_that_is_printed_says_when_a_count_is_not_the_recorded_one(cache):
    drawn(cache / "one.png", (200, 10, 10))
    art.collect(made(count=3))
    row, fit, check = art.table([made(count=3)]).splitlines()
    assert row.split() == ["pictures", "cartoons", "fit", "1", "(art.csv:", "3)", "MIT"]
    assert (fit, check) == ("fit: 1 (cartoons 1)", "check: 0 ()")
