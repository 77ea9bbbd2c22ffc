"""Memory that has been freed, given back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Hand the system what glibc keeps of freed memory; with another allocator nothing happens.

    Freed blocks that lie between others stay in the heap, and what comes next may not fit into any of them:
    so a heap in which batches come and go grows although each frees all that it took. Given back, their
    pages cost nothing until they are used again.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
