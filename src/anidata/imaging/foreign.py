"""Decoders of other libraries: whatever they raise is a BadImage, and what they warn of isn't heard.

Nothing of the process is switched for that, since other threads may decode, or use the same libraries.
Of the filters of
warnings one is ours: it holds in a thread for as long as a decoder runs in it, and for no one else.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from anidata.errors import BadImage


class _Decoders(threading.local):
    """The number of decoders that run in this thread.

    In the filter below it stands where a pattern of modules' names does.
    """

    running = 0

    def match(self, _module: str) -> bool:
        return self.running > 0


DECODERS = _Decoders()
# Action, message, category, module, line; warnings.filterwarnings takes texts, which hold in every thread
UNHEARD = ("ignore", None, Warning, DECODERS, 0)


@contextmanager
def decoder() -> Iterator[None]:
    """Around a decoder, which may raise anything on hostile bytes.

    Raises: BadImage: `truncated`, `corrupt`, or `too_large` where memory ends.
    """
    _filter_first()
    DECODERS.running += 1
    try:
        yield
    except BadImage:
        raise
    except MemoryError as error:
        raise BadImage("too_large", "its pixels don't fit in memory") from error
    except Exception as error:  # struct.error, SyntaxError, KeyError, OverflowError … each from some plugin
        text = str(error) or type(error).__name__
        raise BadImage("truncated" if _is_truncated(error, text) else "corrupt", text) from error
    finally:
        DECODERS.running -= 1


def _is_truncated(error: Exception, text: str) -> bool:
    """Whether a decoder misses bytes: the words are Pillow's."""
    return isinstance(error, EOFError) or "truncated" in text.lower()


def _filter_first() -> None:
    """Put our filter before those that were set since, which might make errors of a decoder's warnings.

    To them it changes nothing.
    """
    filters: Any = warnings.filters
    if not filters or filters[0] is not UNHEARD:
        with suppress(ValueError):
            filters.remove(UNHEARD)
        filters.insert(0, UNHEARD)


_filter_first()
