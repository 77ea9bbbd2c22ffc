"""A video gives each picture that it holds once, where it is held.

What is no video, or breaks off, is a row that says so.
"""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest

from anidata import registry
from anidata.errors import SourceError
from anidata.sources import Options
from anidata.sources.videos import reader
from anidata.storage import read
from drawings import drawing

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


def listed(path, base, **options):
    return list(
        registry.load("sources", "video").records(f"video:{path}", Options(base=base / "work", **options))
    )


def pictures(records, base):
    contents = [read(record.at, base / "work", 1 << 24) for record in records if record.at]
    return [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for data in contents]


def nearest(picture, seeds):
    """Which drawing a frame shows, and how far it is off, in grey levels."""
    off = {seed: float(np.abs(picture.astype(int) - page(seed)).mean()) for seed in seeds}
    return min(off.items(), key=lambda pair: pair[1])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v"), ("a.webm", "VP80")]
)
def test_each_held_picture_comes_once_from_where_it_is_held(name, codec, tmp_path):
    path = film(tmp_path / name, [held(n) for n in range(4)], codec)
    records = listed(path, tmp_path)
    assert [nearest(picture, range(4))[0] for picture in pictures(records, tmp_path)] == [0, 1, 2, 3]
    assert all(nearest(picture, range(4))[1] < 12 for picture in pictures(records, tmp_path))
    assert [int(json.loads(record.extra)["time"] // 2) for record in records] == [0, 1, 2, 3]


def test_of_a_fade_the_picture_is_taken_before_it_darkens(tmp_path):
    path = film(tmp_path / "a.mp4", [held(0), fade(0), held(1)])
    shown = pictures(listed(path, tmp_path), tmp_path)
    assert [nearest(picture, (0, 1))[0] for picture in shown] == [0, 1]
    assert max(nearest(picture, (0, 1))[1] for picture in shown) < 12


def test_a_pan_gives_no_more_than_a_few_frames_and_none_twice(tmp_path):
    wide = drawing(5, 1600, 240)
    pan = [wide[:, x : x + SIZE[0]] for x in range(0, 1280, 8)]
    shown = pictures(listed(film(tmp_path / "a.mp4", [pan]), tmp_path), tmp_path)
    assert 2 <= len(shown) <= 4
    assert all(np.abs(a.astype(int) - b).mean() > 10 for n, a in enumerate(shown) for b in shown[:n])


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
        rows = json.loads(
            command(
                "query", work, "SELECT file, status, error FROM records ORDER BY file", "--format", "json"
            )
        )
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
    records = listed(path, tmp_path)
    assert records[-1].error == "truncated"
    assert [nearest(picture, range(4))[0] for picture in pictures(records, tmp_path)][:1] == [0]
    assert 1 <= len(records) - 1 < 4


def test_a_video_that_takes_too_long_is_a_row_and_leaves_nothing(tmp_path):
    path = film(tmp_path / "a.mp4", [held(0)])
    [frame] = reader.frames(path, Options(base=tmp_path / "work"), seconds=0.01)
    assert frame.error == "timeout"
    assert not list((tmp_path / "work").rglob("*.tar"))


def test_where_there_is_no_video_the_error_says_what_to_type(tmp_path):
    with pytest.raises(SourceError, match="Type its path"):
        listed(tmp_path, tmp_path)


COLORS = [
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (250, 205, 180),
    (60, 190, 200),
]
WEIGHTS = {"601": (0.299, 0.114, 6), "709": (0.2126, 0.0722, 1)}  # ITU-T H.273: Kr, Kb, code


def planes(rgb, matrix, full):
    """Y, U and V by the formulas of H.273, at 4:2:0."""
    red, green, blue = (rgb[..., n] / 255 for n in range(3))
    kr, kb, _ = WEIGHTS[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    scale, base, chroma = (255, 0, 255) if full else (219, 16, 224)
    values = [
        base + scale * luma,
        *(128 + chroma * c[::2, ::2] / 2 for c in ((blue - luma) / (1 - kb), (red - luma) / (1 - kr))),
    ]
    return [np.clip(np.round(value), 0, 255).astype(np.uint8) for value in values]


def fill(frame, values):
    for plane, pixels in zip(frame.planes, values, strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = pixels
        plane.update(padded.tobytes())


def encoded(
    path,
    frames,
    codec="ffv1",
    matrix="601",
    full=False,
    tagged=True,
    *,
    transfer=None,
    shape=None,
    ticks=None,
):
    av = pytest.importorskip("av", reason="PyAV isn't installed")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        context = stream.codec_context
        if tagged:
            context.colorspace, context.color_range = WEIGHTS[matrix][2], 2 if full else 1
        if transfer:
            context.color_trc = transfer
        if shape:
            context.sample_aspect_ratio = shape
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
            fill(frame, planes(rgb, matrix, full))
            frame.pts = ticks[number] if ticks else number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("height", "matrix", "full", "tagged"),
    [
        (480, "601", 0, 0),
        (480, "601", 1, 1),
        (480, "709", 0, 1),
        (720, "709", 0, 0),
        (720, "709", 1, 1),
        (720, "601", 0, 1),
    ],
)
def test_flat_colors_come_out_as_they_were_drawn(height, matrix, full, tagged, tmp_path):
    chart = np.repeat(np.array(COLORS, np.uint8), 80, axis=0)[None].repeat(height, axis=0)
    path = encoded(tmp_path / "a.mkv", [chart] * 6, matrix=matrix, full=bool(full), tagged=bool(tagged))
    [picture] = pictures(listed(path, tmp_path), tmp_path)
    assert np.abs(picture[:, 40::80].astype(int) - chart[:, 40::80]).max() <= 3


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_a_row_and_no_washed_out_frames(transfer, tmp_path):
    [record] = listed(encoded(tmp_path / "a.mkv", held(0, 0.5), "libx264", transfer=transfer), tmp_path)
    assert (record.at, record.error) == (None, "hdr")


def test_pixels_that_are_not_square_are_shown_as_square(tmp_path):
    [picture] = pictures(
        listed(encoded(tmp_path / "a.mkv", held(0, 0.5), "libx264", shape=Fraction(3, 2)), tmp_path), tmp_path
    )
    assert picture.shape == (SIZE[1], SIZE[0] * 3 // 2, 3)


def test_a_combed_frame_is_taken_apart(tmp_path):
    wide = cv2.GaussianBlur(drawing(5, 1600, 240), (0, 0), 2)
    views = [wide[:, x : x + SIZE[0]] for x in range(0, 1280, 8)]
    woven = [view.copy() for view in views[::2]]
    for frame, later in zip(woven, views[1::2], strict=True):
        frame[1::2] = later[1::2]
    records = listed(encoded(tmp_path / "a.mkv", woven), tmp_path)
    for record, picture in zip(records, pictures(records, tmp_path), strict=True):
        number = json.loads(record.extra)["frame"]
        near = min(np.abs(picture.astype(int) - view).mean() for view in views[2 * number : 2 * number + 2])
        assert near < 0.5 * np.abs(woven[number].astype(int) - views[2 * number]).mean()


def test_sound_alone_is_a_row(tmp_path):
    av = pytest.importorskip("av", reason="PyAV isn't installed")
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    [record] = listed(tmp_path / "a.mp4", tmp_path)
    assert (record.error, record.message) == ("no_frames", "no video in it, only sound")


def test_a_video_that_is_held_sideways_is_shown_upright(tmp_path):
    path = encoded(tmp_path / "a.mp4", held(0, 0.5), "libx264")
    upright, quarter = (
        b"".join(n.to_bytes(4, "big", signed=True) for n in row)
        for row in ((1 << 16, 0, 0, 0, 1 << 16), (0, 1 << 16, 0, -1 << 16, 0))
    )
    data = path.read_bytes()
    head = data.index(b"tkhd")
    offset = data.index(upright, head)  # ISO 14496-12, 8.3.2: x' = a x + c y, here a quarter turn clockwise
    path.write_bytes(data[:offset] + quarter + data[offset + len(quarter) :])
    [picture] = pictures(listed(path, tmp_path), tmp_path)
    assert picture.shape == (SIZE[0], SIZE[1], 3)
    assert np.abs(np.rot90(picture).astype(int) - page(0)).mean() < 12


def test_a_frame_that_is_shown_for_long_is_held_though_it_is_but_one(tmp_path):
    frames, ticks = [page(n) for n in range(4)], [0, 50, 99, 150]  # 1/24 s
    records = listed(encoded(tmp_path / "a.mp4", frames, "libx264", ticks=ticks), tmp_path)
    assert [nearest(picture, range(4))[0] for picture in pictures(records, tmp_path)] == [0, 1, 2, 3]
    assert [json.loads(record.extra)["time"] for record in records] == pytest.approx(
        [tick / FPS for tick in ticks], abs=0.002
    )


def test_of_a_video_with_a_hole_the_frames_around_it_are_whole(tmp_path):
    path = encoded(tmp_path / "a.mkv", [frame for n in range(6) for frame in held(n)], "mpeg4")
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + len(data) // 6] = bytes(len(data) // 6)
    path.write_bytes(data)
    records = listed(path, tmp_path)
    assert records[-1].error in ("corrupt", "truncated")
    shown = [nearest(picture, range(6)) for picture in pictures(records, tmp_path)]
    assert shown[0][0] == 0
    assert all(off < 12 for _, off in shown)


def test_a_video_of_plain_frames_alone_is_a_row(tmp_path):
    [record] = listed(encoded(tmp_path / "a.mp4", [np.full_like(page(0), 255)] * 60, "libx264"), tmp_path)
    assert (record.error, record.message) == ("no_frames", "nothing but plain frames")
