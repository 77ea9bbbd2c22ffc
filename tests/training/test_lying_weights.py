"""Weights and checkpoints that lie about themselves: a typed error each, and nothing is changed."""

import json
import os
import resource
import struct

import pytest
import torch

from anidata.errors import FormatError, RunError
from anidata.training.run import checkpoints, forms, weights
from training_lab import tiny

FACTS = {"images": 0, "seconds": 0.0, "waited": 0.0, "skipped": 0, "running": 0, "scores": []}


def saved(folder):
    """A checkpoint of a baseline that has made a step, in three parts: header, tensors, our JSON."""
    baseline = tiny()
    for network in baseline.networks.values():
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
    for optimizer in baseline.optimizers.values():
        optimizer.step()
    path = folder / "000000000000.safetensors"
    checkpoints.save(path, baseline, {}, FACTS)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return path, header, data[8 + length :], json.loads(header["__metadata__"]["anidata"])


def written(path, header, body, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)


def first_of(header):
    return next(name for name in header if name.startswith("networks."))


TENSORS = {
    "an offset below zero": {"data_offsets": [-1, 4]},
    "overlapping offsets": {"data_offsets": [0, 4]},
    "offsets the wrong way round": {"data_offsets": [8, 0]},
    "offsets past the end": {"data_offsets": [1 << 40, (1 << 40) + 4]},
    "offsets past all numbers": {"data_offsets": [0, 1 << 70]},
    "offsets that are none": {"data_offsets": "all"},
    "no such type": {"dtype": "Q9"},
    "a wider type": {"dtype": "F64"},
    "another type of the same size": {"dtype": "I32"},
    "a huge shape": {"shape": [1 << 62, 1 << 62]},
    "a huge shape of nothing": {"shape": [0, 1 << 62], "data_offsets": [0, 0]},
    "a shape below zero": {"shape": [-1]},
    "a shape of fractions": {"shape": [0.5, 2]},
}


def refused(path):
    """Both ways to read weights refuse the file, and leave the baseline as it was."""
    baseline = tiny()
    before = [p.clone() for n in baseline.networks.values() for p in n.parameters()]
    with pytest.raises((RunError, FormatError)):
        checkpoints.load(path, baseline, {})
    assert all(
        torch.equal(a, b)
        for a, b in zip(before, (p for n in baseline.networks.values() for p in n.parameters()), strict=True)
    )


@pytest.mark.parametrize("lie", TENSORS)
def test_a_tensor_that_lies_in_the_header_is_a_typed_error(tmp_path, lie):
    path, header, body, _ = saved(tmp_path)
    header[first_of(header)] |= TENSORS[lie]
    written(path, header, body)
    refused(path)


@pytest.mark.parametrize("length", [0, 7, forms.MOST_HEADER + 1, 1 << 40, 1 << 62, (1 << 64) - 1])
def test_a_length_that_lies_is_a_typed_error(tmp_path, length):
    path, header, body, _ = saved(tmp_path)
    written(path, header, body, length)
    refused(path)
    with pytest.raises(RunError):
        weights.start_from(path, tiny())


HEADERS = {
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no UTF-8": b'{"\xff": 1}',
    "a list": b"[]",
    "a number": b"1",
    "two of a name": b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},' * 2 + b'"b":1}',
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_of_another_form_is_a_typed_error(tmp_path, header):
    path, _, body, _ = saved(tmp_path)
    written(path, HEADERS[header], body)
    refused(path)


def test_a_header_of_millions_of_tensors_takes_no_memory(tmp_path):
    path = tmp_path / "many.safetensors"
    one = b'"t%09d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    written(path, b"{" + b",".join(one % n for n in range(1_500_000)) + b"}", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=r"its header of .* bytes is longer than 8,388,608"):
        weights.start_from(path, tiny())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def group(about, **changed):
    """Our JSON with another first group of the first optimizer."""
    name = next(iter(about["groups"]))
    about["groups"][name]["groups"][0] |= changed
    return about


def values(about, **kept):
    about["groups"][next(iter(about["groups"]))]["values"] = kept
    return about


ABOUT = {
    "facts that are missing": lambda about: about | {"facts": []},
    "images as text": lambda about: about | {"facts": FACTS | {"images": "x"}},
    "fewer images than none": lambda about: about | {"facts": FACTS | {"images": -5}},
    "seconds as text": lambda about: about | {"facts": FACTS | {"seconds": "x"}},
    "scores that are none": lambda about: about | {"facts": FACTS | {"scores": [1]}},
    "scores of no images": lambda about: about | {"facts": FACTS | {"scores": [{"psnr": 1.0}]}},
    "no groups": lambda about: about | {"groups": {}},
    "groups of another kind": lambda about: about | {"groups": {"main": []}},
    "a rate as text": lambda about: group(about, lr="x"),
    "betas that are one": lambda about: group(about, betas=5, momentum="x"),
    "other parameters": lambda about: group(about, params=[0] * 4),
    "parameters as text": lambda about: group(about, params="abcd"),
    "a value of no parameter": lambda about: values(about, **{"99.step": 1}),
    "a value of no number": lambda about: values(about, **{"x.step": 1}),
    "a value as text": lambda about: values(about, **{"0.step": "abc"}),
    "a number of 5,000 digits": lambda about: values(about, **{"9" * 5000 + ".step": 1}),
}


@pytest.mark.parametrize("lie", ABOUT)
def test_metadata_that_lie_are_a_typed_error(tmp_path, lie):
    path, header, body, about = saved(tmp_path)
    header["__metadata__"]["anidata"] = json.dumps(ABOUT[lie](about))
    written(path, header, body)
    refused(path)


@pytest.mark.parametrize("text", ["[" * 200_000, "1" * 10_000, "{", "NaN", "null", '{"format": []}'])
def test_metadata_that_are_no_json_of_ours_are_a_typed_error(tmp_path, text):
    path, header, body, _ = saved(tmp_path)
    header["__metadata__"]["anidata"] = text
    written(path, header, body)
    refused(path)


def test_what_an_optimizer_keeps_of_another_shape_is_a_typed_error(tmp_path):
    path, header, body, _ = saved(tmp_path)
    wide = [n for n, one in header.items() if n.startswith("optimizers.") and len(one["shape"]) > 1]
    name = wide[0]
    header[name]["shape"] = header[name]["shape"][::-1] + [1]
    written(path, header, body)
    refused(path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: p.symlink_to("/dev/zero"), lambda p: p.mkdir()])
def test_what_is_no_file_is_a_typed_error(tmp_path, make):
    make(tmp_path / "000000000000.safetensors")
    refused(tmp_path / "000000000000.safetensors")


def test_a_whole_checkpoint_is_still_taken(tmp_path):
    path, _, _, _ = saved(tmp_path)
    assert checkpoints.load(path, tiny(), {}) == FACTS
