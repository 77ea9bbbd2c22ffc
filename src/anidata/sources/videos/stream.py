"""The frames of a video, each with its time and its neighbors, as libav decodes them.

What can't be decoded is left out and noted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av

from anidata.sources.videos.notes import EndNote

Raw = Any  # av.VideoFrame: the decoder's own planes

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"  # no playlist or list of files, which may name others
HDR = {16: "PQ", 18: "HLG"}  # transfers of ITU-T H.273
WIDE = 9  # primaries of BT.2020
SHORT = 2.0  # seconds by which the last frame may miss the length that the container promises,
PART = 0.05  # or its share: sound may outlast the picture
# seconds for which nothing is shown, by the frame's own duration: Matroska's readers step over
# damage without a word
GAP = 2.0
LONGEST = 4_000_000  # frames: a day and a half


class Unusable(Exception):
    """Nothing can be taken from the video."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame while it is shown."""

    number: int  # among the frames that could be decoded
    time: float  # seconds from the start of the video
    until: float  # when the next one replaces it
    frame: Raw
    before: Raw = None
    after: Raw = None

    def alone(self) -> "Moment":
        return replace(self, before=None, after=None)


class Film:
    """The main video stream of a file: the first that is no cover picture.

    Raises: Unusable: no container that is known, no video in it, or one too large.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self.seen = 0
        self.end = 0.0  # seconds: when the last frame is gone
        self.holes: list[float] = []  # seconds after which frames can't be decoded
        self.cut = False  # the container breaks off
        try:
            self.container = av.open(
                str(path),
                metadata_errors="replace",
                options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            )
        except av.FFmpegError as error:
            raise Unusable("corrupt", f"no video in it that can be decoded: {error.strerror}") from error
        self.stream = self._main()
        self._decoder(max_pixels)

    def _main(self) -> Any:
        streams = self.container.streams
        for stream in streams.video:
            if not stream.disposition & av.stream.Disposition.attached_pic:
                return stream
        kinds = {"sound": streams.audio, "a cover picture": streams.video}
        others = " and ".join(kind for kind, of_kind in kinds.items() if of_kind)
        raise Unusable("no_frames", f"no video in it, only {others}" if others else "no video in it")

    def _decoder(self, max_pixels: int) -> None:
        context = self.stream.codec_context
        if context is None:
            raise Unusable("corrupt", "no video in it that can be decoded: its codec isn't known")
        _check_size(context.width, context.height, max_pixels)
        context.options = {"max_pixels": str(max_pixels)}
        context.thread_type = "AUTO"

    @property
    def fps(self) -> float:
        rate = float(self.stream.average_rate or 0)
        return rate if 1 <= rate <= 1000 else 25.0

    @property
    def wide(self) -> float:
        """Width over height of a pixel."""
        shape = float(self.stream.sample_aspect_ratio or 1)
        return shape if 0.25 < shape < 4 else 1.0

    def moments(self) -> Iterator[Moment]:
        """Yield the frames as they are shown.

        Raises: Unusable: one is too large, or its colors can't be shown without tone mapping.
        """
        last = None
        for before, here, after in _threes(self._timed()):
            time, frame = here
            until = after[0] if after else time + 1 / self.fps
            if frame.duration and until - time > GAP + float(frame.duration * frame.time_base):
                self.holes.append(time)
            last = Moment(
                number=self.seen,
                time=time,
                until=max(until, time),
                frame=frame,
                before=before and before[1],
                after=after and after[1],
            )
            self.seen, self.end = self.seen + 1, last.until
            yield last

    def _timed(self) -> Iterator[tuple[float, Raw]]:
        """Yield the frames with their times as players count them, from the container's start.

        Times that are missing or go back follow the one before.
        """
        origin = (self.container.start_time or 0) / 1e6
        last = -1 / self.fps
        for frame in self._decoded():
            _check_size(frame.width, frame.height, self.max_pixels)
            _check_colors(frame)
            time = last + 1 / self.fps if frame.time is None else frame.time - origin
            last = max(time, last, 0.0)
            yield last, frame

    def _decoded(self) -> Iterator[Raw]:
        """Yield frames until the file breaks off.

        After one that is damaged comes none before the next key frame: they are built upon it.
        """
        waiting = False
        count = 0
        for frames in self._packets():
            for frame in frames or [None]:
                is_whole = frame is not None and not frame.is_corrupt
                if not is_whole and not waiting:
                    waiting = True
                    self.holes.append(self.end)
                if is_whole and (not waiting or frame.key_frame):
                    waiting = False
                    count += 1
                    yield frame
                if count >= LONGEST:
                    return

    def _packets(self) -> Iterator[list[Raw] | None]:
        """Yield the frames that each packet decodes to; None: it can't be."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.cut = True
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                yield None
                continue
            if frames:
                yield frames

    def complaint(self) -> EndNote:
        """The note on what is missing of the whole, once it has been read."""
        if not self.seen:
            return {"error": "no_frames", "message": "no frame of it can be decoded"}
        promised = self._promised()
        if self.cut or self.end < promised - max(SHORT, PART * promised):
            return {"error": "truncated", "message": f"{self.end:,.1f} s of {promised:,.1f} s could be read"}
        if self.holes:
            message = (
                f"what follows {self.holes[0]:,.1f} s can't be read, up to the next key frame "
                f"({len(self.holes)} such places)"
            )
            return {"error": "corrupt", "message": message}
        return {}

    def _promised(self) -> float:
        """Seconds by the container's own word: its length or, of a file cut short, its count of frames."""
        length = float((self.stream.duration or 0) * self.stream.time_base)
        length = length or (self.container.duration or 0) / 1e6
        count = self.stream.frames
        return max(length, count / self.fps if count < LONGEST else 0.0)


def _threes(frames: Iterable[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield each with the one before and the one behind; None at the ends."""
    before = here = None
    for after in frames:
        if here is not None:
            yield before, here, after
        before, here = here, after
    if here is not None:
        yield before, here, None


def _check_size(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise Unusable("too_large", f"{width} × {height} px; the limit is {limit:,} pixels")


def _check_colors(frame: Raw) -> None:
    if frame.color_trc in HDR or frame.color_primaries == WIDE:
        kind = HDR.get(frame.color_trc, "BT.2020")
        raise Unusable(
            "hdr",
            f"its colors are {kind}: without tone mapping they would look washed out. "
            "Convert it to BT.709 first",
        )
