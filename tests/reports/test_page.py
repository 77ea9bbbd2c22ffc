"""The page tells what became of a pile and shows what is worth a look.

It is nothing but text and small pictures.
"""

import html.parser
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata import pipeline, registry
from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.reports import page
from anidata.reports.funnel import Funnel
from anidata.reports.page import choice, layout
from anidata.workspace import open_workspace
from drawings import drawing, save
from inline import Inline

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "'\"><svg onload=alert(2)>.png",
    "{{ 7 * 7 }}.png",
    "\u202egnp.exe.png",
    "&lt;b&gt;.png",
]
VOID = {"meta", "link", "img", "br"}


class Page(html.parser.HTMLParser):
    """A page's elements and text; an element that isn't closed where it should be is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.source = source
        self.feed(source)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    def images(self):
        return [attrs for tag, attrs in self.tags if tag == "img"]


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def mouth(picture):
    """The same drawing with a patch redrawn."""
    other = picture.copy()
    cv2.rectangle(other, (150, 150), (190, 175), (255, 30, 30), -1)
    cv2.rectangle(other, (150, 150), (190, 175), (0, 0, 0), 3)
    return other


def fill(folder):
    for n, name in enumerate(HOSTILE):
        save(folder / name.replace("/", "_"), drawing(n))
    save(
        folder / "half the size.jpg",
        cv2.resize(drawing(2), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA),
        quality=80,
    )
    save(folder / "mirror.png", np.ascontiguousarray(drawing(3)[:, ::-1]))
    save(folder / "mouth.png", mouth(drawing(4)))
    for n, side in enumerate((200, 250, 100)):
        save(folder / f"side {side}.png", drawing(20 + n, side, 300))
    save(folder / "gray.png", np.repeat(drawing(30).mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2))
    save(folder / "copy of 250.png", cv2.GaussianBlur(drawing(21, 250, 300), (0, 0), 0.4))
    (folder / "cut <script>.png").write_bytes((folder / "gray.png").read_bytes()[:900])
    (folder / "empty.png").write_bytes(b"")
    shutil.copy(folder / "gray.png", folder / "gray again.png")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished workspace, made once."""
    folder = tmp_path_factory.mktemp("made")
    words = ["run", "quickstart", folder / "work", fill(folder / "pile"), "--set", "lineart.size=64"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anidata.engine.engine.Engine", Inline)
        result = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return folder / "work"


@pytest.fixture
def work(made, tmp_path, inline):
    """A copy of it, whose pictures still lie in the first one's pile."""
    return Path(shutil.copytree(made, tmp_path / "work"))


@pytest.fixture
def own(tmp_path, command, inline):
    """A decided workspace with a pile of its own, to be changed."""
    command("ingest", tmp_path / "work", fill(tmp_path / "pile"))
    command("clean", tmp_path / "work")
    command("dedup", tmp_path / "work")
    return tmp_path / "work"


def report(command, work, *more):
    return read(Path(command("report", work, "--json", *more)["path"]))


def test_the_funnel_stands_in_words_with_every_reason(work, command):
    done = command("report", work, "--json")
    shown = read(work / "report.html")
    funnel = done["funnel"]
    assert f"{funnel['kept']} of {funnel['found']} pictures are kept" in shown.text
    for step, n in (
        ("Found", funnel["found"]),
        ("Pairs", funnel["pairs"]),
        ("Samples", sum(funnel["samples"].values())),
    ):
        assert f"{step} {n}" in shown.text
    for causes in (funnel["failed"], funnel["rejected"], funnel["duplicates"], funnel["samples"]):
        assert all(f"{name} {n}" in shown.text for name, n in causes.items())
    assert "1 seen before, same bytes" in shown.text
    assert done["bytes"] == (work / "report.html").stat().st_size


def test_links_lead_somewhere_and_no_two_places_share_a_name(work, command):
    shown = report(command, work)
    names = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    links = [attrs["href"] for tag, attrs in shown.tags if tag == "a"]
    assert len(set(names)) == len(names)
    assert {
        "#funnel",
        "#measures",
        "#rejected",
        "#failed",
        "#kept",
        "#duplicates",
        "#reason-min_side",
        "#error-empty",
    } <= set(links)
    assert {link.removeprefix("#") for link in links} <= set(names)


def test_names_that_are_markup_stand_there_as_text(work, command):
    shown = report(command, work)
    for name in HOSTILE:
        assert name.replace("\u202e", "\ufffd") in shown.text
    assert "cut <script>.png" in shown.text
    assert not {"script", "iframe", "object", "embed", "form", "input"} & {tag for tag, _ in shown.tags}
    assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)


def test_the_page_forbids_all_network_and_names_no_place_outside_itself(work, command, tmp_path):
    shown = report(command, work)
    policy = next(
        attrs["content"] for tag, attrs in shown.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert not re.search(r"https?:|file:|url\(|@import|<script", shown.source)
    assert str(tmp_path) not in shown.source
    assert all(attrs["src"].startswith("data:image/webp;base64,") for attrs in shown.images())


def test_every_picture_has_a_text_in_its_stead(work, command):
    shown = report(command, work)
    assert len(shown.images()) > 20
    assert all(attrs["alt"] for attrs in shown.images())
    assert all(attrs["aria-label"] for tag, attrs in shown.tags if tag == "svg")


def test_the_same_workspace_gives_the_same_bytes_wherever_it_lies_and_whoever_works(
    work, command, monkeypatch, tmp_path
):
    command("report", work)
    assert (work / "decisions/funnel.json").exists()
    other = tmp_path / "moved"
    (work / "report.html").rename(tmp_path / "first.html")
    work.rename(other)
    (other / "decisions/funnel.json").unlink()
    monkeypatch.undo()  # worker processes
    monkeypatch.setenv("ANIDATA_QUIET", "1")
    second = command("report", other, "-o", tmp_path / "second.html", "--workers", 2, "--json")
    assert (tmp_path / "first.html").read_bytes() == Path(second["path"]).read_bytes()
    assert second["path"] == str(tmp_path / "second.html")
    assert not (other / "report.html").exists()


def test_the_rejected_nearest_to_the_threshold_stand_first_and_copies_last(work, command):
    shown = report(command, work)
    files = [
        attrs["alt"].partition(", rejected: min_side")[0]
        for attrs in shown.images()
        if ", rejected: min_side" in attrs["alt"]
    ]
    assert sorted(files[2:]) == sorted(
        ["side 100.png", {"side 250.png", "copy of 250.png"}.difference(files[:1]).pop()]
    )
    assert (files[0] in ("side 250.png", "copy of 250.png"), files[1], files[2]) == (
        True,
        "side 200.png",
        "side 100.png",
    )


def job_of(workspace, *settings):
    return pipeline.job(workspace, pipeline.resolve(workspace, None, settings), Inline())


def rules_of(views, workspace, *settings):
    return registry.stage("clean").thresholds(views, job_of(workspace, *settings))


def test_the_rules_of_the_page_are_cleans(work, command):
    workspace = open_workspace(work)
    reasons = json.loads(
        command("query", work, "SELECT reasons FROM images WHERE status = 'ok'", "--format", "json")
    )
    with Catalog(workspace) as views:
        rules = rules_of(views, workspace)
        for rule in rules:
            breaking = f"SELECT count(*) AS n FROM _seen WHERE error IS NULL AND {rule.broken}"
            broken = views.select(breaking).column("n")[0].as_py()
            assert broken == sum(rule.reason in row["reasons"] for row in reasons)
    assert {"min_side", "monochrome"} <= {rule.reason for rule in rules}
    off = (
        "clean.min_side=0",
        "clean.max_aspect=0",
        "clean.max_flatness=1",
        "clean.min_chroma=0",
        "clean.min_sharpness=0",
    )
    with Catalog(workspace) as views:
        on = {rule.setting for rule in rules_of(views, workspace, *off)}
    assert not {name.partition("=")[0].removeprefix("clean.") for name in off} & on


def test_every_numeric_measure_has_its_histogram_and_its_threshold(work, command):
    shown = report(command, work)
    for name in (*schemas.measures(), "width", "height", "min_side", "aspect"):
        assert f" {name} " in shown.text
        assert any(
            attrs.get("aria-label", "").startswith(f"Histogram of {name},")
            for tag, attrs in shown.tags
            if tag == "svg"
        )
    assert "lie below min_side = 256" in shown.text
    assert "lies below min_chroma = 6" in shown.text


def test_a_threshold_moves_with_its_setting(work, command):
    command("clean", work, "--set", "clean.min_side=111")
    assert "lies below min_side = 111" in report(command, work).text


def test_without_rules_there_are_histograms_without_thresholds(work, command):
    workspace = open_workspace(work)
    with Catalog(workspace) as views:
        # Each rule is off at one of them.
        ways = [f"clean.{rule.setting}={n}" for rule in rules_of(views, workspace) for n in (0, 1)]
        off = [
            way for way in ways if way[6:-2] not in {rule.setting for rule in rules_of(views, workspace, way)}
        ]
    command("clean", work, *(word for way in off for word in ("--set", way)))
    shown = report(command, work)
    assert "No picture was rejected." in shown.text
    assert not any("limit" in attrs.get("class", "") for _, attrs in shown.tags)


def test_a_condition_stands_above_what_it_rejected(work, command):
    command("clean", work, "--set", "clean.where=width < 319 AND file <> '<b>'")
    assert "width < 319 AND file <> '<b>' isn’t true." in report(command, work).text


def test_clusters_show_keeper_member_and_their_difference(work, command):
    shown = report(command, work)
    alts = [attrs["alt"] for attrs in shown.images()]
    text = shown.text[shown.text.index("clusters of pictures that look alike") :]
    assert text.index("variant") < text.index("flip")  # what is kept is worth a look first
    assert {"mirror.png, flip", "half the size.jpg, reencoded"} & set(alts)
    assert sum(alt.startswith("where it differs from its keeper") for alt in alts) == 4
    assert len(re.findall(r"ΔE [\d.]+, at most", shown.text)) == 4
    assert " variant, " in shown.text


def test_a_picture_that_has_gone_or_changed_leaves_a_place_that_says_so(own, command, tmp_path):
    (tmp_path / "pile/side 200.png").unlink()
    save(tmp_path / "pile/mirror.png", drawing(77))
    done = command("report", own, "--json")
    shown = read(own / "report.html")
    assert done["counts"]["unreadable"] == 2
    assert "missing the file is gone" in shown.text
    assert "changed the source has changed since it was read" in shown.text
    assert "nothing to compare" in shown.text


def test_a_keeper_that_is_known_no_more_is_a_place_without_a_picture(own, command, tmp_path):
    members = json.loads(
        command(
            "query", own, "SELECT file, keeper, key FROM images WHERE relation = 'keeper'", "--format", "json"
        )
    )
    for row in members:
        save(tmp_path / "pile" / row["file"], drawing(500 + len(row["file"])))
    command("ingest", own, tmp_path / "pile", "--refresh")
    shown = report(command, own)
    assert "no place is known where it lies" in shown.text
    assert "have changed since dedup decided" in shown.text


def test_a_workspace_without_pictures_has_a_page(tmp_path, command, inline):
    (tmp_path / "pile").mkdir()
    command("ingest", tmp_path / "work", tmp_path / "pile")
    shown = report(command, tmp_path / "work")
    assert "Nothing has been found yet" in shown.text
    assert shown.images() == []


def test_a_workspace_without_decisions_has_a_page(tmp_path, command, inline):
    command("ingest", tmp_path / "work", fill(tmp_path / "pile"))
    shown = report(command, tmp_path / "work")
    assert "clean has not run yet" in shown.text
    assert "Dedup has not run yet" in shown.text
    command("clean", tmp_path / "work")
    shown = report(command, tmp_path / "work")
    assert "clean has not run yet" not in shown.text
    assert "lie below min_side = 256" in shown.text
    assert "Dedup has not run yet" in shown.text


def test_no_more_than_some_are_shown_and_the_rest_is_counted(work):
    workspace = open_workspace(work)
    few = choice.Config(each=1, kept=1, clusters=1, members=1)
    written = page.write(job_of(workspace), work / "few.html", few)
    shown = read(work / "few.html")
    assert written.shown["clusters"] == written.shown["kept"] == 1
    assert len(shown.images()) <= 1 + len(written.funnel.rejected) + 3
    assert f"1 of {written.funnel.rejected['min_side']} pictures are shown" in shown.text
    assert "And 3 more clusters" in shown.text


def test_the_kept_that_are_shown_are_always_the_same(work):
    job = job_of(open_workspace(work))
    few = [row["key"] for row in choice.choose(job, choice.Config(kept=2)).kept]
    assert few == [row["key"] for row in choice.choose(job, choice.Config(kept=4)).kept][:2]


def test_a_page_that_can_not_be_finished_leaves_the_old_one(work, command, monkeypatch):
    command("report", work)
    before = (work / "report.html").read_bytes()

    def fails(histogram):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(layout, "bars", fails)
    with pytest.raises(RuntimeError):
        command("report", work)
    assert (work / "report.html").read_bytes() == before
    assert not list(work.glob("*.part"))


def test_what_became_of_a_pile_is_a_sentence_and_nothing_is_said_of_nothing():
    nothing = Funnel(found=3, repeated=0, failed={}, rejected={}, duplicates={}, kept=3, pairs=0, samples={})
    assert layout.sentence(nothing) == "Nothing fell out."
    assert layout.sentence(replace(nothing, duplicates={"flip": 1})) == "1 is a copy of a better one."
    much = Funnel(
        found=9_999,
        repeated=9,
        failed={"empty": 1, "truncated": 2},
        rejected={"flat": 4_000},
        duplicates={"flip": 2},
        kept=5_000,
        pairs=5_000,
        samples={"train": 4_000, "val": 1_000},
    )
    assert layout.sentence(much) == (
        "9 had been seen before, 3 could not be read, 4,000 fell short of a threshold, "
        "2 are copies of a better one. "
        "5,000 pairs of lineart and color were drawn, 5,000 samples packed."
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (layout.number(0), "0"),
        (layout.number(0.10500000001), "0.105"),
        (layout.number(-2.5), "−2.5"),
        (layout.number(12_345.6), "12,346"),
        (layout.count(0, "picture"), "0 pictures"),
        (layout.count(1, "picture"), "1 picture"),
        (layout.count(1_200, "picture"), "1,200 pictures"),
        (layout.share(0, 9), "0.0 %"),
        (layout.share(1, 100_000), "less than 0.1 %"),
        (layout.share(3, 4), "75 %"),
        (layout.plain("a\x00\nb\u202e"), "a\ufffd\ufffdb\ufffd"),
        (layout.plain("x" * 500), "x" * 100 + "…" + "x" * 100),
        (layout.plain(None), ""),
    ],
)
def test_numbers_and_names_read_well(said, expected):
    assert said == expected
