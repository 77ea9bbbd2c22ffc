"""When Ctrl-C strikes: not in an import, and not when a command has come to its end."""

import inspect
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

IMPORTS = "<frozen importlib."  # begins the file name of the import system's own code
AGAIN = 0.02  # seconds after which is seen whether an import is over


@contextmanager
def after_imports() -> Iterator[None]:
    """Let Ctrl-C within the block wait for the end of an import.

    Modules in C++ (DuckDB, torch) abort the process where it strikes while they are loaded. When the block
    is over, so is the command: from then on a Ctrl-C does nothing.
    """
    if not _is_ours():
        yield
        return
    before = _imports(inspect.currentframe())

    def strike(_number: int, frame: FrameType | None) -> None:
        if _imports(frame) > before:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
            return
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, strike)
    signal.signal(signal.SIGINT, strike)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _is_ours() -> bool:
    """Whether Ctrl-C is Python's own: not ignored, as it is in the background, and this the main thread."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _imports(frame: FrameType | None) -> int:
    """How many of the calls that led to a frame are the import system's."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith(IMPORTS)
        frame = frame.f_back
    return count
