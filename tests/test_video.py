"""A video gives each picture that it holds once, where it is held; what is no video, or breaks off, is a row that says so."""

import json

import cv2
import numpy as np
import pytest

from anidata import parts
from anidata.errors import SourceError
from anidata.sources import Options, _videos
from anidata.storage import read
from conftest import drawing

pytest.importorskip("scenedetect", reason="PySceneDetect isn't installed")
FPS, SIZE = 24, (320, 240)


def page(seed):
    return drawing(seed, *SIZE)


def film(path, shots, codec="mp4v", fps=FPS):
    """Shots: lists of frames, uint8 RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, SIZE)
    assert writer.isOpened()
    for shot in shots:
        for frame in shot:
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def held(seed, seconds=2.0):
    return [page(seed)] * round(seconds * FPS)


def fade(seed, seconds=1.0):
    """To black."""
    count = round(seconds * FPS)
    return [(page(seed) * (1 - k / count)).astype(np.uint8) for k in range(count)]


def listed(place, base, **options):
    return list(parts.load("sources", "video").records(f"video:{place}", Options(base / "work", **options)))


def pictures(records, base):
    found = [read(record.at, base / "work", 1 << 24) for record in records if record.at]
    return [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for data in found]


def nearest(picture, seeds):
    """Which drawing a frame shows, and how far it is off, in grey levels."""
    off = {seed: float(np.abs(picture.astype(int) - page(seed)).mean()) for seed in seeds}
    return min(off.items(), key=lambda pair: pair[1])


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v"), ("a.webm", "VP80")])
def test_each_held_picture_comes_once_from_where_it_is_held(name, codec, tmp_path):
    path = film(tmp_path / name, [held(n) for n in range(4)], codec)
    found = listed(path, tmp_path)
    assert [nearest(picture, range(4))[0] for picture in pictures(found, tmp_path)] == [0, 1, 2, 3]
    assert all(nearest(picture, range(4))[1] < 12 for picture in pictures(found, tmp_path))
    assert [int(json.loads(record.extra)["time"] // 2) for record in found] == [0, 1, 2, 3]


def test_of_a_fade_the_picture_is_taken_before_it_darkens(tmp_path):
    path = film(tmp_path / "a.mp4", [held(0), fade(0), held(1)])
    found = pictures(listed(path, tmp_path), tmp_path)
    assert [nearest(picture, (0, 1))[0] for picture in found] == [0, 1]
    assert max(nearest(picture, (0, 1))[1] for picture in found) < 12


def test_a_pan_gives_no_more_than_a_few_frames_and_none_twice(tmp_path):
    wide = drawing(5, 1600, 240)
    pan = [wide[:, x : x + SIZE[0]] for x in range(0, 1280, 8)]
    found = pictures(listed(film(tmp_path / "a.mp4", [pan]), tmp_path), tmp_path)
    assert 2 <= len(found) <= 4
    assert all(np.abs(a.astype(int) - b).mean() > 10 for n, a in enumerate(found) for b in found[:n])


def test_the_same_video_gives_the_same_bytes_and_is_copied_once(tmp_path):
    path = film(tmp_path / "a.mp4", [held(0), held(1)])
    first = listed(path, tmp_path)
    [blob] = (tmp_path / "work" / "blobs").glob("video-*.tar")
    before, data = blob.stat().st_mtime_ns, blob.read_bytes()
    assert listed(path, tmp_path) == first
    assert blob.stat().st_mtime_ns == before
    blob.unlink()
    assert listed(path, tmp_path) == first
    assert blob.read_bytes() == data


def test_a_folder_of_videos_is_ingested_and_a_second_run_adds_nothing(tmp_path, command, inline):
    film(tmp_path / "pile" / "one.mp4", [held(0), held(1)])
    film(tmp_path / "pile" / "sub" / "two.mkv", [held(2)])
    (tmp_path / "pile" / "three.mp4").write_text("no video at all")
    work = tmp_path / "work"
    for _ in range(2):
        command("ingest", work, f"video:{tmp_path / 'pile'}")
        rows = json.loads(command("query", work, "SELECT file, status, error FROM records ORDER BY file", "--format", "json"))
        assert [row["error"] for row in rows if row["status"] == "failed"] == ["corrupt"]
        assert sum(row["status"] == "ok" for row in rows) == 3


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "empty"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "corrupt"),
        (b"\0\0\0\x18ftypmp42" + b"\xff" * 5000, "corrupt"),
        (b"\x1aE\xdf\xa3" + b"\0" * 5000, "corrupt"),
    ],
)
def test_what_is_no_video_is_a_row(data, error, tmp_path):
    (tmp_path / "a.mp4").write_bytes(data)
    [record] = listed(tmp_path / "a.mp4", tmp_path)
    assert (record.at, record.error) == (None, error)


def test_a_video_that_breaks_off_gives_what_stands_before_and_a_row_for_the_rest(tmp_path):
    path = film(tmp_path / "a.avi", [held(n) for n in range(4)], "MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = listed(path, tmp_path)
    assert found[-1].error == "truncated"
    assert [nearest(picture, range(4))[0] for picture in pictures(found, tmp_path)][:1] == [0]
    assert 1 <= len(found) - 1 < 4


def test_a_video_that_takes_too_long_is_a_row_and_leaves_nothing(tmp_path):
    path = film(tmp_path / "a.mp4", [held(0)])
    [frame] = _videos.frames(path, Options(tmp_path / "work"), seconds=0.01)
    assert frame.error == "timeout"
    assert not list((tmp_path / "work").rglob("*.tar"))


def test_where_there_is_no_video_the_error_says_what_to_type(tmp_path):
    with pytest.raises(SourceError, match="Type its path"):
        listed(tmp_path, tmp_path)
