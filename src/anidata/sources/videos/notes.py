"""The JSON that the program for frames writes into its tar: beside each frame, and at the end."""

from typing import TypedDict


class FrameNote(TypedDict):
    """Where in the video a frame was."""

    frame: int  # among those that could be decoded
    scene: int
    time: float  # seconds from the start


class EndNote(TypedDict, total=False):
    """Why the video, or the rest of it, gave no frames; empty: nothing is missing."""

    error: str  # a code
    message: str
