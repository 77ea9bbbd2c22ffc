"""A pickle of numpy's arrays is read without being run; what else it may hold is refused where it stands."""

import os
import pickle
import random
import struct

import numpy as np
import pytest
from test_extractors import flat

import weights_lab as lab
from anidata.training.weights import pickled
from anidata.training.weights.pickled import NotArrays


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("make", [lab.alexnet, lab.vgg16])
def test_arrays_are_those_of_pickles_own_reader(make, protocol):
    data = lab.pickled(make(), protocol)
    expected = flat(pickle.loads(data))
    ours = pickled.read(data)
    assert ours.keys() == expected.keys()
    for name, array in ours.items():
        assert array.dtype == expected[name].dtype
        assert np.array_equal(array, expected[name])


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_float_is_read_in_every_order(kind, order):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), kind, order=order)
    ours = pickled.read(pickle.dumps({"a": array}, 4))["a"]
    assert ours.dtype == array.dtype
    assert np.array_equal(ours, array)


def test_an_array_that_is_named_twice_is_there_twice():
    array = np.ones(3, "f4")
    ours = pickled.read(pickle.dumps({"a": array, "b": {"c": array}}, 4))
    assert sorted(ours) == ["a", "b/c"]


# --- what a pickle could do --------------------------------------------------------------------------


class Calls:
    """A pickle of it calls something."""

    def __init__(self, function, *values):
        self.function, self.values = function, values

    def __reduce__(self):
        return self.function, self.values


class Plain:
    """An object of a class of ours."""


class Persistent(pickle.Pickler):
    def persistent_id(self, value):
        return "elsewhere" if value == "stored" else None


def persistent(path):
    with path.open("wb") as file:
        Persistent(file, 3).dump({"a": "stored"})
    return path.read_bytes()


RUNS = {
    "a shell": lambda path: pickle.dumps({"a": Calls(os.system, f"touch {path}")}, 3),
    "a file": lambda path: pickle.dumps({"a": Calls(open, str(path), "w")}, 4),
    "python": lambda path: pickle.dumps({"a": Calls(exec, f"open({str(path)!r}, 'w')")}, 3),
    "beside arrays": lambda path: pickle.dumps({**lab.alexnet(), "a": Calls(os.mkdir, str(path))}, 3),
    "as a name": lambda path: pickle.dumps({Calls(os.mkdir, str(path)): np.ones(1, "f4")}, 4),
    "numpy's own": lambda path: pickle.dumps({"a": Calls(np.memmap, str(path), "u1", "w+", 0, (1,))}, 3),
    "by hand": lambda path: b"cposix\nsystem\n(Vtouch " + str(path).encode() + b"\ntR.",
    "by instance": lambda path: b"(Vtouch " + str(path).encode() + b"\niposix\nsystem\n.",
}


@pytest.mark.parametrize("way", RUNS)
def test_nothing_of_a_pickle_is_run(tmp_path, way):
    data = RUNS[way](tmp_path / "ran")
    with pytest.raises(NotArrays, match=r"^byte [\d,]+: (it would import|the operation \w+ is none)"):
        pickled.read(data)
    assert not (tmp_path / "ran").exists()
    if way != "numpy's own":  # it does, where it is run
        pickle.loads(data)
        assert (tmp_path / "ran").exists()


OTHERS = {
    "an object": (Plain(), "would import test_pickled_weights.Plain"),
    "objects in an array": (np.array([{}], object), "would call something that makes no array"),
    "whole numbers": (np.arange(3), "would call something that makes no array"),
    "texts": (np.array(["a"]), "would call something"),
    "fields": (np.zeros(2, [("a", "f4")]), "would call something"),
    "dates": (np.zeros(2, "M8[s]"), "would call something"),
    "a list": ([np.ones(2)], "the operation EMPTY_LIST"),
    "a set": ({1, 2}, "would import builtins.set"),
    "a number": (1.5, "the operation BINFLOAT"),
    "a large number": (1 << 80, "the operation LONG1"),
    "an array without numbers": (np.zeros((0, 3), "f4"), "a side that is none"),
    "too many sides": (np.zeros((1,) * 9, "f4"), "more than 8 sides"),
    "a tuple": ((np.ones(2, "f4"),), "a is no array"),
    "a number as a name": ({1: np.ones(2, "f4")}, "something else than names"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_array_of_floats_is_refused_in_words(name):
    value, why = OTHERS[name]
    with pytest.raises(NotArrays, match=why):
        pickled.read(pickle.dumps({"a": value}, 3))


def test_an_array_alone_has_no_name():
    with pytest.raises(NotArrays, match="it is no array"):
        pickled.read(pickle.dumps(np.ones(2, "f4"), 3))


def test_what_lies_outside_is_not_asked_for(tmp_path):
    with pytest.raises(NotArrays, match="the operation BINPERSID"):
        pickled.read(persistent(tmp_path / "a"))


# --- pickles that no one would write -----------------------------------------------------------------

ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
UNBUILT = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R"
FLOAT = UNBUILT + b"(K\x03X\x01\x00\x00\x00<NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
NAMED = b"}X\x01\x00\x00\x00a"


def built(shape=b"K\x02\x85", kind=FLOAT, order=b"\x89", data=b"C\x08" + bytes(8), version=b"K\x01"):
    return NAMED + ARRAY + b"(" + version + shape + kind + order + data + b"tbs."


def test_a_pickle_by_hand_is_an_array():
    assert pickled.read(built())["a"].tolist() == [0, 0]


BAD = {
    "more numbers than bytes": built(shape=b"K\x03\x85"),
    "a shape of gigabytes": built(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
    "a shape below nothing": built(shape=b"J\xfe\xff\xff\xff\x85"),
    "a shape of switches": built(shape=b"\x88K\x02\x86"),
    "no shape": built(shape=b"N"),
    "a text for numbers": built(data=b"X\x08\x00\x00\x00abcdefgh"),
    "another version": built(version=b"K\x02"),
    "no type": built(kind=b"N"),
    "a type not yet built": built(kind=UNBUILT),
    "a number for an order": built(order=b"K\x01"),
    "a state too short": NAMED + ARRAY + b"(K\x01tbs.",
    "never built": NAMED + ARRAY + b"s.",
    "an array of a size": NAMED + ARRAY.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85") + b"s.",
    "a dict that is built": b"}}b.",
    "a name that is called": b"X\x01\x00\x00\x00a)R.",
    "nothing": b".",
    "no end": b"}",
    "empty": b"",
    "taken from nothing": b"\x85.",
    "no mark": b"t.",
    "recalled too soon": b"h\x01.",
    "remembered far away": b"}r\xff\xff\xff\xff" + b"." * 2,
    "its own value": b"}q\x00X\x01\x00\x00\x00ah\x00s.",
    "an extension": b"\x82\x01.",
    "a long text that isn't there": b"\x8d" + b"\xff" * 7 + b"\x7f.",
    "a name of tuples": b"))\x93.",
    "text that is none": b"X\x01\x00\x00\x00\xff.",
    "dicts in dicts": b"}X\x01\x00\x00\x00a" * 30 + b"}" + b"s" * 30 + b".",
    "tuples in tuples": b"}X\x01\x00\x00\x00a)" + b"\x85" * 50_000 + b"s.",
    "operations without end": b"}" + b"N0" * 50_000 + b".",
}


@pytest.mark.parametrize("name", BAD)
def test_a_pickle_that_lies_is_refused(name):
    if name == "remembered far away":  # a dict at a number of 4 bytes is no harm
        assert pickled.read(BAD[name]) == {}
        return
    with pytest.raises(NotArrays):
        pickled.read(BAD[name])


def test_dicts_that_name_each_other_many_times_are_not_followed_for_long():
    whole = b"}q\x00"
    for n in range(7):
        names = b"".join(b"X\x02\x00\x00\x00" + f"{k:02}".encode() + b"h" + bytes([n]) for k in range(90))
        whole += b"}q" + bytes([n + 1]) + b"(" + names + b"u"
    with pytest.raises(NotArrays, match="more than 4,096 values"):
        pickled.read(whole + b".")


def test_a_pickle_cut_short_anywhere_is_refused():
    data = lab.pickled({"AlexNet_0": {"Conv_0": {"bias": np.ones(3, "f4")}}})
    for end in range(len(data)):
        with pytest.raises(NotArrays):
            pickled.read(data[:end])


def test_a_damaged_pickle_is_arrays_or_refused_and_never_anything_else():
    data = bytearray(lab.pickled({"AlexNet_0": {"Conv_0": {"bias": np.ones(3, "f4")}}}))
    chance, read = random.Random(0), 0
    for _ in range(3000):
        changed = bytearray(data)
        for _ in range(chance.choice([1, 1, 2, 5])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            arrays = pickled.read(bytes(changed))
        except NotArrays:
            continue
        read += 1
        assert all(array.dtype.kind == "f" for array in arrays.values())
    assert 0 < read < 3000


def test_a_length_of_gigabytes_is_not_waited_for():
    with pytest.raises(NotArrays):
        pickled.read(b"B" + struct.pack("<I", 0xFFFFFFFF) + b"abc.")
