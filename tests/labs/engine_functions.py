"""Functions that the engine's tests have workers run.

A file of its own: workers import it, and pytest would cost each of them its start.
"""

import ctypes
import mmap
import os
import re
import sys
from pathlib import Path

import cv2
import pyarrow.parquet  # noqa: F401  starts a thread unless told not to

from anidata.errors import StorageError


class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Deadly:
    """Ends the process that pickles it."""

    def __reduce__(self):
        os._exit(7)


def squares(part, watch):
    return [failure.code if failure else item * item for item, failure in watch.each(part)]


def acts(part, watch):
    return [(failure.code, failure.message) if failure else act(item) for item, failure in watch.each(part)]


def act(item):
    match item:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "regex":  # C code that holds the interpreter's lock for years
            re.match(r"(a+)+$", "a" * 60 + "b")
        case "memory":
            try:
                return len(bytearray(1 << 28))
            except MemoryError:
                return "out of memory"
        case "print":
            print("a decoder's chatter")
            os.system("echo and a program\\'s")
    return f"did {item}"


def once(part, watch):
    """Each item is a path: the first who comes there dies."""
    for item, failure in watch.each(part):
        assert failure is None
        if not Path(item).exists():
            Path(item).touch()
            os._exit(1)
    return "well"


def maps_a_big_file(path, watch):
    with open(path, "rb") as file:
        return len(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def raises(part, watch):
    for item, _ in watch.each(part):
        if item == "storage":
            raise StorageError("disk full")
        if item == "bug":
            return part[len(part)]
        if item == "awkward":
            raise Awkward(1, 2)
        if item == "exit":
            sys.exit(0)
    return "well"


def unpicklable(part, watch):
    return lambda: part


def deadly(part, watch):
    print("about to go")
    return Deadly()


def zeros(part, watch):
    return bytes(part)


def threads(part, watch):
    return cv2.getNumThreads(), {os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def pids(part, watch):
    return os.getpid()


def gate(part, watch):
    """Items are (started, go): tell our pid through one pipe, wait for the other's end."""
    for (started, go), _ in watch.each(part):
        with open(started, "w") as pipe:
            pipe.write(f"{os.getpid()}\n")
        if go == "never":
            act("regex")
        with open(go) as pipe:
            pipe.read()
    return "through"
