"""A folder becomes records: all of its files, in a stable order, nothing outside it."""

import json
import os
import random
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.errors import SourceError
from anidata.sources import Options, Record, folder, sample
from anidata.storage import decode, path_of, read, uri_of
from drawings import drawing, save


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    (tmp_path / "pile").mkdir()
    return tmp_path / "pile"


def put(base: Path, *names: str) -> None:
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(os.fsencode(name))


def listed(pile: Path | str, **options) -> list[Record]:
    return list(folder.records(str(pile), Options(base=Path(tempfile.gettempdir()), **options)))


def names(pile: Path | str, **options) -> list[str]:
    return [decode(record.name) for record in listed(pile, **options)]


def test_every_file_is_a_record_whatever_its_ending_folder_by_folder(pile):
    put(pile, "b.png", "a", "readme.md", "z/1.jpg", "B/2.weird", "z.png", "z/y/3.webp")
    assert names(pile) == ["a", "b.png", "readme.md", "z.png", "B/2.weird", "z/1.jpg", "z/y/3.webp"]


def test_the_reference_leads_to_the_bytes(pile):
    put(pile, "a b%.png", "ü/ж.png")
    for record in listed(pile):
        assert read(record.at, Path("/nowhere"), 100) == os.fsencode(decode(record.name))
        assert record.root == uri_of(pile)
        assert record.at.uri == f"{record.root}/{record.name}"


def test_the_order_does_not_depend_on_the_system(pile, monkeypatch):
    put(pile, *(f"{i % 7}/{i}.png" for i in range(50)))
    expected, scandir = names(pile), os.scandir

    class Shuffled:
        def __init__(self, path):
            with scandir(path) as entries:
                self.entries = random.Random(1).sample(unshuffled := list(entries), len(unshuffled))

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

        close = __exit__

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert names(pile) == expected


def test_hidden_files_and_what_systems_leave_behind_are_no_records(pile):
    put(
        pile,
        "a.png",
        ".hidden.png",
        ".git/x.png",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        "__MACOSX/a.png",
        "s/.DS_Store",
        "s/@eaDir/x.jpg",
    )
    assert names(pile) == ["a.png"]


def test_names_that_are_no_text_survive(pile):
    odd = [b"\xff\xfe.png", b"line\nbreak.png", b"per%cent #1?.png", b"\x82\xa0.jpg", b"tab\t.png"]
    for name in odd:
        Path(os.fsdecode(bytes(pile) + b"/" + name)).write_bytes(name)
    records = listed(pile)
    assert sorted(os.fsencode(decode(record.name)) for record in records) == sorted(odd)
    assert all(read(record.at, pile, 100) == os.fsencode(decode(record.name)) for record in records)
    assert {record.file for record in records} >= {"\ufffd\ufffd.png", "line\nbreak.png"}


def test_links_are_followed_only_to_files_below_the_root(pile, tmp_path):
    put(pile, "sub/a.png")
    put(tmp_path, "secret.png")
    (pile / "in.png").symlink_to("sub/a.png")
    (pile / "out.png").symlink_to("../secret.png")
    (pile / "out_by_way_of_a_folder.png").symlink_to("sub/../../secret.png")
    (pile / "gone.png").symlink_to("nothing")
    (pile / "loop").symlink_to(".")
    (pile / "self.png").symlink_to("self.png")
    errors = {record.name: record.error for record in listed(pile)}
    refused = dict.fromkeys(["out.png", "out_by_way_of_a_folder.png", "gone.png", "loop", "self.png"], "link")
    assert errors == {"in.png": None, "sub/a.png": None, **refused}


def test_a_neighbor_with_the_roots_name_as_its_beginning_is_outside(pile, tmp_path):
    put(tmp_path, "pile2/x.png")
    (pile / "x.png").symlink_to(tmp_path / "pile2" / "x.png")
    assert [record.error for record in listed(pile)] == ["link"]


def test_pipes_are_refused_and_never_opened(pile):
    os.mkfifo(pile / "pipe.png")
    (pile / "link.png").symlink_to("pipe.png")
    put(pile, "a.png")
    os.mkfifo(pile / "a.txt")  # where a sidecar would be
    assert {record.name: record.error for record in listed(pile)} == {
        "a.png": None,
        "a.txt": "device",
        "link.png": "device",
        "pipe.png": "device",
    }


def test_an_unreadable_folder_is_a_row_and_the_others_go_on(pile, monkeypatch):
    put(pile, "a.png", "locked/b.png", "z/c.png")
    scandir = os.scandir

    def guarded(path):
        if (
            str(path).rstrip("/").endswith("locked")
        ):  # chmod would not stop root, who runs the tests in containers
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert [(r.name, r.error) for r in listed(pile)] == [
        ("a.png", None),
        ("locked", "unreadable"),
        ("z/c.png", None),
    ]
    with pytest.raises(SourceError, match="can't be read"):
        listed(pile / "locked")


def test_a_missing_folder_says_what_to_type():
    with pytest.raises(SourceError, match=r"there is no such folder\. Type the path of a folder"):
        listed("folder:/nowhere/at/all")


@pytest.mark.parametrize("text", ["folder:\0", "folder:" + "x" * 5000])
def test_what_can_be_no_folder_is_a_source_error(text):
    with pytest.raises(SourceError, match="Type"):
        listed(text)


def test_a_workspace_among_the_pictures_is_left_out(pile):
    put(pile, "a.png", "work/blobs/x.tar", "sub/work/b.png")
    assert [record.name for record in folder.records(str(pile), Options(base=pile / "work"))] == [
        "a.png",
        "sub/work/b.png",
    ]


def test_a_single_picture_is_a_source_with_its_sidecar_and_line(pile):
    put(pile, "a.png", "b_color.png", "b_line.png", "b_color.json", "c.png")
    (pile / "b_color.json").write_text('{"artist": "Ann"}')
    (record,) = listed(pile / "b_color.png")
    in_folder = {record.name: record for record in listed(pile)}
    assert record == in_folder["b_color.png"]
    assert (record.artist, path_of(record.line.uri, pile).name) == ("Ann", "b_line.png")


def test_a_single_file_that_a_folder_would_not_list_is_listed_when_asked_for(pile):
    put(pile, "b_color.png", "b_line.png", ".hidden.png")
    assert names(pile / "b_line.png") == ["b_line.png"]
    assert names(pile / ".hidden.png") == [".hidden.png"]


def test_the_same_folder_by_another_name_has_the_same_root(pile, monkeypatch):
    put(pile, "a.png", "sub/b.png")
    monkeypatch.chdir(pile)
    roots = {
        listed(text)[0].root for text in (str(pile), f"{pile}/", ".", "sub/..", f"folder:{pile}/../pile")
    }
    assert roots == {uri_of(pile)}


def test_archives_in_a_folder_are_opened_where_content_and_ending_agree(pile, tmp_path):
    with zipfile.ZipFile(pile / "x.zip", "w") as archive:
        archive.writestr("in/a.png", b"a")
        archive.writestr("in/a.txt", "red, blue")
        archive.writestr("../evil.png", b"")
    (pile / "drawing.kra").write_bytes((pile / "x.zip").read_bytes())
    put(pile, "no.zip", "w.png")
    records = list(folder.records(str(pile), Options(base=tmp_path / "work")))
    assert [(record.name, record.error) for record in records] == [
        ("drawing.kra", None),
        ("no.zip", None),
        ("w.png", None),
        ("x.zip/../evil.png", "unsafe_name"),
        ("x.zip/in/a.png", None),
    ]
    assert records[-1].tags == ("red", "blue")
    assert read(records[-1].at, tmp_path / "work", 10) == b"a"


def test_a_stamp_changes_with_the_file_and_with_what_is_said_of_it(pile):
    put(pile, "a_color.png", "a_line.png", "b.png", "a_color.txt", "metadata.csv")
    (pile / "metadata.csv").write_text("file_name,license\na_color.png,CC0\nb.png,CC0\n")

    def stamps() -> dict[str, str]:
        return {record.name: record.stamp for record in listed(pile)}

    def touched(name: str, text: str) -> set[str]:
        before = stamps()
        (pile / name).write_text(text)
        os.utime(pile / name, ns=(0, time.time_ns() + 10**9))
        return {name for name, stamp in stamps().items() if stamp != before[name]}

    assert touched("a_color.txt", "red, blue") == {"a_color.png"}
    assert touched("a_line.png", "other") == {"a_color.png"}
    assert touched("b.png", "other") == {"b.png"}
    assert touched("metadata.csv", "file_name,license\na_color.png,CC0\nb.png,CC-BY\n") == {"b.png"}


class TestTrueLineart:
    def lines(self, pile: Path, **options) -> dict[str, str | None]:
        return {
            record.name: record.line and path_of(record.line.uri, pile).name
            for record in listed(pile, **options)
        }

    def test_a_line_belongs_to_the_color_picture_of_its_stem(self, pile):
        put(pile, "a_color.png", "a_line.png", "a.png", "b.jpg", "b_line.png", "c_line.png", "d.png")
        assert self.lines(pile) == {
            "a.png": None,
            "a_color.png": "a_line.png",
            "b.jpg": "b_line.png",
            "c_line.png": None,
            "d.png": None,
        }

    def test_lines_in_another_folder_are_records(self, pile):
        put(pile, "a_color.png", "sub/a_line.png")
        assert self.lines(pile) == {"a_color.png": None, "sub/a_line.png": None}

    def test_the_patterns_are_options_and_may_be_switched_off(self, pile):
        put(pile, "sketch-1.png", "art-1.jpg", "a_color.png", "a_line.png")
        assert self.lines(pile, lines="sketch-*.png", colors="art-*.*") == {
            "a_color.png": None,
            "a_line.png": None,
            "art-1.jpg": "sketch-1.png",
        }
        assert set(self.lines(pile, lines="")) == {"sketch-1.png", "art-1.jpg", "a_color.png", "a_line.png"}

    def test_names_with_signs_of_patterns_are_plain_names(self, pile):
        put(pile, "[a]*_color.png", "[a]*_line.png", "x[1].png", "x[1]_line.png")
        assert self.lines(pile) == {
            "[a]%2A_color.png".replace("[", "%5B").replace("]", "%5D"): "[a]*_line.png",
            "x%5B1%5D.png": "x[1]_line.png",
        }

    def test_a_refused_line_is_a_row_of_its_own(self, pile):
        put(pile, "a_color.png")
        (pile / "a_line.png").symlink_to("/etc/hostname")
        assert [(record.name, record.error, record.line) for record in listed(pile)] == [
            ("a_color.png", None, None),
            ("a_line.png", "link", None),
        ]


@settings(max_examples=40, deadline=None)
@given(
    st.sets(
        st.lists(
            st.text("ab.%#_é\n", min_size=1, max_size=3).filter(lambda s: s[0] != "."), min_size=1, max_size=3
        ).map(tuple),
        max_size=8,
    )
)
def test_all_files_come_once_whatever_the_tree(paths):
    with tempfile.TemporaryDirectory() as base:
        for path in paths:
            target = Path(base, *path)
            if not any(parent.is_file() for parent in target.parents) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
        expected = sorted(str(file.relative_to(base)) for file in Path(base).rglob("*") if file.is_file())
        assert sorted(names(base)) == expected


def test_a_folder_nested_deeper_than_python_recurses_is_listed(pile):
    depth = 1500
    folders = [os.open(pile, os.O_RDONLY)]
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=folders[-1])
            folders.append(os.open("d", os.O_RDONLY, dir_fd=folders[-1]))
            os.close(folders[-2])
        os.close(os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=folders[-1]))
        os.close(folders[-1])
        assert names(pile) == ["d/" * depth + "x.png"]
    finally:
        subprocess.run(["rm", "-rf", str(pile)], check=True)  # pytest's own cleaning recurses


class TestSample:
    def test_it_has_only_pictures_and_all_of_them_have_license_and_artist(self, tmp_path):
        records = list(sample.records("sample:", Options(base=tmp_path)))
        text = (Path(sample.PACKAGE) / "art" / "ATTRIBUTION.md").read_text()
        rows = {
            cells[0].strip(): cells
            for line in text.splitlines()
            if len(cells := line.strip("| ").split("|")) == 4
        }
        assert len(records) == 36
        assert sum(record.line is not None for record in records) == 7
        for record in records:
            assert record.license == rows[record.file][1].strip()
            assert record.artist in rows[record.file][2]

    def test_its_records_do_not_depend_on_where_the_package_is(self, tmp_path):
        for record in sample.records("sample:", Options(base=tmp_path)):
            assert record.root == "sample:"
            assert str(sample.PACKAGE) not in record.name + record.stamp
            assert path_of(record.at.uri, tmp_path).is_file()


def video(path):
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG")), 24, (64, 64)
    )
    writer.write(drawing(1, 64, 64))
    writer.release()


def test_a_video_among_pictures_is_a_row_that_says_which_source_takes_its_frames(
    pile, tmp_path, command, inline
):
    save(pile / "a.png", drawing(1))
    (pile / "really a picture.mp4").write_bytes((pile / "a.png").read_bytes())
    (pile / "neither.webm").write_bytes(b"nothing at all")
    for name in ("clip.mp4", "CLIP.AVI"):
        video(pile / name)
    command("ingest", tmp_path / "work", pile)
    rows = json.loads(
        command(
            "query",
            tmp_path / "work",
            "SELECT file, error, message FROM records ORDER BY file",
            "--format",
            "json",
        )
    )
    assert {row["file"]: row["error"] for row in rows} == {
        "a.png": None,
        "really a picture.mp4": None,
        "neither.webm": "not_an_image",
        "clip.mp4": "video",
        "CLIP.AVI": "video",
    }
    assert {row["message"] for row in rows if row["error"] == "video"} == {
        "a video; the source video takes its frames: anidata ingest WORK video:FOLDER"
    }
    [alone] = folder.records(str(pile / "clip.mp4"), Options(base=tmp_path))
    assert alone.error == "video"
