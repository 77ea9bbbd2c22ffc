"""A pickle of numpy's arrays, read without being run: names → arrays, and nothing else.

A pickle is a program for a small machine that can call whatever Python can import. This reader is a machine
of its own that knows the few operations which dicts of arrays are made of, and calls nothing: the three names
that numpy's arrays are reconstructed by are words to it. Anything else is refused where it stands.
Source: CPython, pickletools.py, of the operations; numpy, ndarray.__reduce__ and dtype.__reduce__
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from anidata.training.extractors import Array

MOST_OPERATIONS = 1 << 16  # of one pickle: VGG16 with its linear layers has a thousand
MOST_VALUES = 1 << 12  # arrays and dicts of one pickle, however often it names them
DEEPEST = 8  # dicts within each other
MOST_SIDES = 8  # of an array
FLOATS = ("f2", "f4", "f8")
ORDERS = ("<", ">")
PLAIN = (None, None, None, -1, -1, 0)  # a type that has no parts, as its state says it


class NotArrays(ValueError):
    """A pickle that holds, or does, something else."""


class Name(NamedTuple):
    """A name that a pickle would import."""

    module: str
    name: str


RECONSTRUCT = (Name("numpy.core.multiarray", "_reconstruct"), Name("numpy._core.multiarray", "_reconstruct"))
NDARRAY, DTYPE = Name("numpy", "ndarray"), Name("numpy", "dtype")
KNOWN = (*RECONSTRUCT, NDARRAY, DTYPE)


@dataclass
class Kind:
    """A number's type; its state gives the order of its bytes."""

    code: str
    order: str = ""

    def build(self, state: object) -> None:
        """Raises: NotArrays."""
        if not (isinstance(state, tuple) and len(state) == 8 and state[0] == 3 and state[2:] == PLAIN):
            raise NotArrays("a type of numbers with parts")
        if state[1] not in ORDERS:
            raise NotArrays("a type of numbers of no byte order")
        self.order = state[1]


@dataclass
class Unbuilt:
    """An array; its state gives shape, type and numbers."""

    array: Array | None = None

    def build(self, state: object) -> None:
        """Raises: NotArrays."""
        if not (isinstance(state, tuple) and len(state) == 5 and state[0] == 1):
            raise NotArrays("an array of no version that is known")
        _, shape, kind, fortran, data = state
        if not (isinstance(kind, Kind) and kind.order and isinstance(fortran, bool)):
            raise NotArrays("an array of no numbers in floating point")
        sides = _shape(shape, data, int(kind.code[1:]))
        flat = np.frombuffer(data, f"{kind.order}{kind.code}")
        self.array = flat.reshape(sides, order="F" if fortran else "C")


def _shape(shape: object, data: object, size: int) -> tuple[int, ...]:
    """A shape that fits the bytes. Raises: NotArrays."""
    if not (isinstance(shape, tuple) and len(shape) <= MOST_SIDES):
        raise NotArrays(f"an array of more than {MOST_SIDES} sides, or of none")
    if not all(type(side) is int and side > 0 for side in shape):
        raise NotArrays("an array with a side that is none")
    if not isinstance(data, bytes) or len(data) != prod(shape) * size:
        raise NotArrays("an array whose bytes are no numbers, or more or fewer than its shape says")
    return shape


@dataclass
class Machine:
    """The stack, what is remembered by number, and where the marks stand in the stack."""

    stack: list[Any] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)

    def pop(self) -> Any:
        """Raises: NotArrays: nothing is there since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise NotArrays("more is taken than is there")
        return self.stack.pop()

    def popped(self) -> list[Any]:
        """All since the last mark. Raises: NotArrays: there is none."""
        if not self.marks:
            raise NotArrays("a mark is missing")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def remember(self, number: int | None) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memory[len(self.memory) if number is None else number] = value

    def recall(self, number: int) -> None:
        if number not in self.memory:
            raise NotArrays("something is recalled that was never remembered")
        self.stack.append(self.memory[number])

    def tuple_of(self, count: int) -> None:
        self.stack.append(tuple(reversed([self.pop() for _ in range(count)])))

    def set_items(self, values: list[Any]) -> None:
        target = self.pop()
        names = values[::2]
        if not isinstance(target, dict) or len(values) % 2 or not all(type(name) is str for name in names):
            raise NotArrays("something else than names with their values")
        target.update(zip(names, values[1::2], strict=True))
        self.stack.append(target)

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise NotArrays("it would import something that is no name")
        if (module, name) not in KNOWN:
            raise NotArrays(f"it would import {module[:60]}.{name[:60]}")
        self.stack.append(Name(module, name))

    def call(self) -> None:
        values, function = self.pop(), self.pop()
        if function in RECONSTRUCT and values == (NDARRAY, (0,), b"b"):
            self.stack.append(Unbuilt())
        elif function == DTYPE and isinstance(values, tuple) and values[:1] in [(code,) for code in FLOATS]:
            self.stack.append(Kind(values[0]))
        else:
            raise NotArrays("it would call something that makes no array")

    def build(self) -> None:
        state = self.pop()
        target = self.pop()
        if not isinstance(target, Kind | Unbuilt):
            raise NotArrays("something else than an array is built")
        target.build(state)
        self.stack.append(target)


def read(data: bytes) -> dict[str, Array]:
    """The arrays of a pickle of dicts, by their names with / between.

    Raises: NotArrays: it is no such pickle; the message says where.
    """
    machine = Machine()
    try:
        for count, (operation, argument, offset) in enumerate(pickletools.genops(data)):
            _do(machine, operation.name, argument, offset or 0, count)
    except NotArrays:
        raise
    except (ValueError, OverflowError) as error:
        raise NotArrays(f"no whole pickle: {error}") from error
    arrays: dict[str, Array] = {}
    _gather(machine.pop(), (), arrays, [0])
    return arrays


def _do(machine: Machine, name: str, argument: Any, offset: int, count: int) -> None:
    if count >= MOST_OPERATIONS:
        raise NotArrays(f"more than {MOST_OPERATIONS:,} operations")
    if name not in OPERATIONS:
        raise NotArrays(f"byte {offset:,}: the operation {name} is none that arrays need")
    try:
        OPERATIONS[name](machine, argument)
    except NotArrays as error:
        raise NotArrays(f"byte {offset:,}: {error}") from error


def _gather(value: object, path: tuple[str, ...], arrays: dict[str, Array], count: list[int]) -> None:
    """Take arrays out of dicts. Raises: NotArrays: something else is there, or it is too many or too deep."""
    count[0] += 1
    if count[0] > MOST_VALUES or len(path) > DEEPEST:
        raise NotArrays(f"more than {MOST_VALUES:,} values, or dicts more than {DEEPEST} deep")
    if isinstance(value, dict):
        for name, inner in value.items():
            _gather(inner, (*path, name), arrays, count)
    elif isinstance(value, Unbuilt) and value.array is not None and path:
        arrays["/".join(path)] = value.array
    else:
        raise NotArrays(f"{'/'.join(path)[:100] or 'it'} is no array")


def _push(machine: Machine, value: Any) -> None:
    machine.stack.append(value)


OPERATIONS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _machine, _: None),
    **dict.fromkeys(
        (
            *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
            *("BININT", "BININT1", "BININT2"),
        ),
        _push,
    ),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.popped())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), Machine.recall),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.popped()),
    "GLOBAL": lambda machine, names: machine.name(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*[machine.pop(), machine.pop()][::-1]),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
