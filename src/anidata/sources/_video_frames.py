"""Choose the frames of a video, and write them as a tar to stdout: python -m anidata.sources._video_frames VIDEO MAX_PIXELS

Scenes are PySceneDetect's. Within one, a frame is looked at every quarter of a second, at a small size: frames that hardly differ are one
picture that is held, of which the sharpest is taken; what is held longer comes first, and what is like a picture already taken is left out.
Frames in a fade or a dissolve aren't held; of a pan, which goes on for longer, some are taken that differ. Source of scenes:
Castellano, PySceneDetect, content detector (change in hue, saturation and lightness between frames).
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.shards import TarWriter

STEP = 0.25  # seconds between looks: anime holds a drawing for two or three frames at least, and a pause for longer
SMALL = 64  # px a side at which frames are compared
HELD = 4.0  # grey levels of 255: the largest mean difference of a cell within which frames are one picture; noise of encoders is below 2
OTHER = 14.0  # from which two pictures of one scene are worth having both
CELLS = 8  # of the comparison, a side: a mouth moves one cell by more than HELD, and is no other picture below OTHER
FADE = 4  # looks that a fade or a dissolve may last
PLAIN = 3.0  # grey levels of standard deviation: black, white and title fades below it
MOST = 4  # pictures of one scene
WAITING = 64  # pictures of a scene that are held in memory as PNG before the longest held are chosen
WHOLE = 0.95  # of the frames that the container promises: fewer mean that the rest is missing
LONGEST = 4_000_000  # frames: a day and a half

Small = NDArray[np.float32]


@dataclass(frozen=True)
class Held:
    """A picture that is held for some looks, by its sharpest frame."""

    frame: int
    looks: int
    sharpness: float
    small: Small
    png: bytes


def main(path: str, max_pixels: int) -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what decoders say is no part of the tar
    cv2.setNumThreads(1)
    tar = TarWriter(out)
    tar.add("end.json", json.dumps(_write(path, max_pixels, tar)).encode())
    tar.close()
    out.close()


def _write(path: str, max_pixels: int, tar: TarWriter) -> dict[str, str]:
    """Write all frames; returns what there is to say of the whole."""
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    fps, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    width, height = (int(video.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if not video.isOpened() or width * height == 0:
        return {"error": "corrupt", "message": "no video in it that can be decoded"}
    if width * height > max_pixels:
        return {"error": "too_large", "message": f"{width} × {height} px; the limit is {max_pixels:,} pixels"}
    fps = fps if 1 <= fps <= 1000 else 25.0
    wide = _pixel_shape(video)
    seen = number = 0
    for number, (start, stop) in enumerate(_scenes(path)):
        pictures, seen = _pictures(video, seen, start, stop, max(1, round(STEP * fps)), wide)
        for held in pictures:
            about = {"frame": held.frame, "scene": number, "time": round(held.frame / fps, 3)}
            tar.add(f"{held.frame:08d}.png", held.png)
            tar.add(f"{held.frame:08d}.json", json.dumps(about, sort_keys=True).encode())
    if not seen:
        return {"error": "no_frames", "message": "no frame of it can be decoded"}
    if 0 < count < LONGEST and seen < WHOLE * count:
        return {"error": "truncated", "message": f"{seen:,} of {int(count):,} frames could be read"}
    return {}


def _scenes(path: str) -> list[tuple[int, int]]:
    """First frame and the one behind the last of each scene."""
    from scenedetect import ContentDetector, detect  # noqa: PLC0415

    found = detect(path, ContentDetector(), start_in_scene=True)
    scenes = [(start.frame_num, stop.frame_num) for start, stop in found] or [(0, 0)]
    return [*scenes[:-1], (scenes[-1][0], LONGEST)]


def _pixel_shape(video: cv2.VideoCapture) -> float:
    """Width over height of a pixel."""
    across, down = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    return across / down if across > 0 and down > 0 and 0.25 < across / down < 4 else 1.0


def _pictures(video: cv2.VideoCapture, seen: int, start: int, stop: int, step: int, wide: float) -> tuple[list[Held], int]:
    """The pictures of one scene by frame, and how many frames of the video have been read."""
    found: list[Held] = []
    plain: list[Held] = []
    for frame in range(seen, min(stop, LONGEST)):
        if not video.grab():
            break
        seen = frame + 1
        if frame < start or (frame - start) % step:
            continue
        known, pixels = video.retrieve()
        if not known:
            continue
        small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
        into = found if small.std() > PLAIN else plain
        _add(into, frame, small, pixels, wide)
        if len(found) > WAITING:
            found.remove(min(found[:-1], key=lambda held: held.looks))
        del plain[1:]
    return sorted(_chosen(found or plain), key=lambda held: held.frame), seen


def _add(found: list[Held], frame: int, small: Small, pixels: NDArray[np.uint8], wide: float) -> None:
    """Another look at the picture that is held, or the first at another."""
    sharpness = float(cv2.Laplacian(small, cv2.CV_32F).var())
    if found and _apart(found[-1].small, small) < HELD:
        last = replace(found[-1], looks=found[-1].looks + 1)
        if sharpness > 1.05 * last.sharpness:
            last = replace(last, frame=frame, sharpness=sharpness, small=small, png=_png(pixels, wide))
        found[-1] = last
        return
    found.append(Held(frame, 1, sharpness, small, _png(pixels, wide)))


def _apart(a: Small, b: Small) -> float:
    """The largest mean difference of a cell, in grey levels."""
    side = SMALL // CELLS
    return float(np.abs(a - b).reshape(CELLS, side, CELLS, side).mean(axis=(1, 3)).max())


def _chosen(found: list[Held]) -> Iterator[Held]:
    """Those that are held longest and differ, then those of long motion; of short motion only where there is nothing else."""
    some = [held for held in found if held.looks > 1] + _moving(found)
    taken: list[Held] = []
    for held in sorted(some or found, key=lambda held: (-held.looks, -held.sharpness, held.frame)):
        if len(taken) < MOST and all(_apart(held.small, other.small) >= OTHER for other in taken):
            taken.append(held)
            yield held


def _moving(found: list[Held]) -> list[Held]:
    """Of motion longer than a fade or a dissolve, what lies further from its ends than these last."""
    inside = []
    for is_moving, run in groupby(found, key=lambda held: held.looks == 1):
        looks = list(run)
        inside += looks[FADE:-FADE] if is_moving else []
    return inside


def _png(pixels: NDArray[np.uint8], wide: float) -> bytes:
    """As shown: square pixels, whatever the video's are."""
    if wide != 1:
        height, width = pixels.shape[:2]
        pixels = cv2.resize(pixels, (max(1, round(width * wide)), height), interpolation=cv2.INTER_LANCZOS4).astype(np.uint8)
    return bytes(cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1])


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
    main(sys.argv[1], int(sys.argv[2]))
