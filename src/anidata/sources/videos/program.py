"""Choose the frames of a video, and write them as a tar to stdout.

    python -m anidata.sources.videos.program VIDEO MAX_PIXELS NAME_OF_TAR

Scenes are PySceneDetect's; the decoder is libav's, from the wheel of PyAV. The video is read once: each frame
is compared with the one before at a small size, one every quarter of a second is a look, and what a scene
holds is chosen when it ends.
Source of scenes: Castellano, PySceneDetect, content detector (change in hue, saturation and lightness between
frames).
"""

import json
import math
import os
import resource
import sys
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

import av.logging
import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from anidata.sources.videos.choice import SMALL, Held, Look, Scene
from anidata.sources.videos.notes import EndNote, FrameNote
from anidata.sources.videos.pictures import Bytes, is_combed, picture, small
from anidata.sources.videos.stream import Film, Moment, Unusable
from anidata.tar.writer import TarWriter

# seconds between looks: anime holds a drawing for two or three frames at least, and a pause for longer
STEP = 0.25
WIDTH = 256  # px: of the frames that scenes are found in
SHORTEST = 0.6  # seconds of a scene: cuts closer together are flashes
DELAY = 2 * SHORTEST  # seconds by which a cut may become known after it: what flashes are merged into
MILLISECONDS = 1000.0
MEMORY = 6 << 30  # bytes of private memory: a film of 8k takes 3 GB


def main(path: str, max_pixels: int, name: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a decoder's crash is an expected event
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what decoders say is no part of the tar
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    tar = TarWriter(out)
    tar.add("end.json", json.dumps(_write(Path(path), max_pixels, tar)).encode())
    tar.add("blob", name.encode())  # see anidata.sources.listing.blobs
    tar.close()
    out.close()


def _write(path: Path, max_pixels: int, tar: TarWriter) -> EndNote:
    """Write all frames; returns the note on the whole."""
    taken = 0
    try:
        film = Film(path, max_pixels)
        for scene in _scenes(film):
            for held in scene.pictures():
                _add(tar, held, scene.number, film.wide)
                taken += 1
    except Unusable as why:
        return {"error": why.code, "message": why.message}
    complaint = film.complaint()
    if taken or complaint:
        return complaint
    return {"error": "no_frames", "message": "nothing but plain frames"}


def _add(tar: TarWriter, held: Held, scene: int, wide: float) -> None:
    note: FrameNote = {"frame": held.number, "scene": scene, "time": round(held.look.moment.time, 3)}
    pixels = picture(held.look.moment, wide, held.look.combed)
    _, png = cv2.imencode(".png", pixels[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 1))
    tar.add(f"{held.number:08d}.png", bytes(png))
    tar.add(f"{held.number:08d}.json", json.dumps(note, sort_keys=True).encode())


def _scenes(film: Film) -> Iterator[Scene]:
    """Yield each once it is over. Looks wait until no cut before them can become known."""
    detector = ContentDetector(min_scene_len=SHORTEST)
    cuts: deque[float] = deque()
    waiting: deque[Look] = deque()
    scene = Scene(0)
    for moment in film.moments():
        shrunk = small(moment.frame, WIDTH)
        at = FrameTimecode(round(moment.time * MILLISECONDS), fps=MILLISECONDS)
        cuts += [cut.frame_num / MILLISECONDS for cut in detector.process_frame(at, shrunk)]
        waiting += _looks(moment, shrunk)
        while waiting and waiting[0].moment.time < moment.time - DELAY:
            scene = yield from _next(scene, waiting.popleft(), cuts)
    while waiting:
        scene = yield from _next(scene, waiting.popleft(), cuts)
    yield scene


def _next(scene: Scene, look: Look, cuts: deque[float]) -> Generator[Scene, None, Scene]:
    """Add a look to its scene, which it may begin; returns that scene."""
    while cuts and cuts[0] <= look.moment.time + 0.5 / MILLISECONDS:
        cuts.popleft()
        yield scene
        scene = Scene(scene.number + 1)
    scene.add(look)
    return scene


def _looks(moment: Moment, shrunk: Bytes) -> list[Look]:
    """The look at a frame if it is shown when one is due, else none."""
    weight = math.ceil(moment.until / STEP) - math.ceil(moment.time / STEP)
    if weight < 1:
        return []
    grey = cv2.cvtColor(shrunk, cv2.COLOR_BGR2GRAY)
    tiny = cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
    combed = is_combed(moment)
    return [Look(moment if combed else moment.alone(), tiny, weight, combed)]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
