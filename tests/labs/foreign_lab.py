"""Everything foreign that anidata reads, spoilt by chance: a case is a seed, a kind and a number.

A case is made in a folder of its own; a command or two read it. What must hold afterwards: they ended with a
known code and a typed error, without a traceback, in time and in bounded memory; no raw control byte and no
secret was said; what they opened, wrote, deleted, started and asked for lies within what they were given.
"""

import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2

import watched
from drawings import drawing, save
from fault_lab import Ended, Nursery
from finished import run_inline
from hostile import SECRET, Harmless, Hostile, dumps
from resume_lab import SET
from web_lab import Asked, Client, Web

CODES = {0, 1, 2, 3, 4, 5, 6, 7, 130}
SECONDS = 60  # that a command may take
MEMORY = 200 << 20  # bytes that one may take beyond the same command without hostile input
MOST = 3 << 30  # bytes that any may take
SMALL = ("clean.min_side=16", "clean.min_sharpness=0", "clean.max_noise=99", "clean.max_jpeg_blocks=1")
SMALL += ("lineart.size=32", "shard.splits={train=0.5,val=0.5}", "ingest.fetch.allow_private=true")
QUICK = ("connect_time=2", "idle_time=2", "total_time=5", "max_wait=1")
SETTINGS = [word for setting in SMALL for word in ("--set", setting)] + SET[1:]
RAW = {*range(32), 127, *range(128, 160)} - {9, 10, 13}
SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/bin",
    "/sbin",
    "/run",
    "/var/lib",
    "/opt",
)
TINY = Path(__file__).with_name("tiny_model.py")

Words = tuple[object, ...]


def picture(n: int) -> bytes:
    return bytes(cv2.imencode(".png", drawing(n, 48, 48))[1])


@dataclass
class Fault:
    kind: str
    number: int
    what: str


@dataclass
class Lane:
    """A place for one case at a time, with sound work of every kind to spoil, and a decoy beside it."""

    home: Path
    web: Web
    trace: bool = True
    nursery: Nursery = field(init=False)
    memory: dict[str, int] = field(default_factory=dict)  # kind → bytes of sound cases at most

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        os.environ |= {"HOME": str(self.home / "home"), "XDG_STATE_HOME": str(self.home / "home/state")}
        os.environ["TMPDIR"] = str(self.home / "home")
        (self.home / "home").mkdir(exist_ok=True)
        self.decoy, self.case, self.traces = self.home / "decoy", self.home / "case", self.home / "traces"
        self._make_decoy()
        self._make_sound()
        prefix = watched.prefix(self.traces) if self.trace else []
        self.nursery = Nursery(self.home / "nursery", "torch", prefix=prefix)
        self._warm = frozenset(p.name for p in self.traces.iterdir()) if self.trace else frozenset()
        self._decoy = digest(self.decoy)

    def _make_decoy(self) -> None:
        save(self.decoy / "secret.png", drawing(77, 48, 48))
        (self.decoy / "secret.txt").write_text(SECRET)
        (self.decoy / "part.py").write_text(
            f"import pathlib\npathlib.Path({str(self.decoy)!r}, 'owned').touch()\n"
        )
        os.mkfifo(self.decoy / "fifo")

    def _make_sound(self) -> None:
        """A WORK with its DATASET, and a RUN, where a case will have them."""
        pile = self.case / "pile"
        for n in range(6):
            save(pile / f"{n}.png", drawing(n, 48, 48))
        (pile / "0.json").write_text(json.dumps(SIDECAR))
        run_inline("run", "quickstart", self.case / "work", pile, *SETTINGS)
        words = ("--set", "train.images=8", "--set", "train.checkpoint_every=4", "--device", "cpu")
        run_inline("train-baseline", TINY, self.case / "work/dataset", self.case / "run", *words)
        shutil.move(self.case, self.home / "sound")

    def fresh(self) -> Path:
        """The case's folder, with sound work in it."""
        shutil.rmtree(self.case, ignore_errors=True)
        shutil.copytree(self.home / "sound", self.case, symlinks=True)
        return self.case

    def run(self, *words: object) -> tuple[Ended, int, float]:
        """How a command ended, its memory, and its seconds."""
        begun = time.monotonic()
        command = self.nursery.start(*words)
        with watched.Memory(command.pid) as memory:
            ended = command.ended()
        return ended, memory.most, time.monotonic() - begun

    def seen(self) -> watched.Seen:
        return watched.seen(self.traces, self._warm) if self.trace else watched.Seen()

    def decoy_is_whole(self) -> bool:
        return digest(self.decoy) == self._decoy


SIDECAR = {
    "title": "a title",
    "tags": ["one", "two"],
    "source": "https://example.org/a",
    "rating": "safe",
    "license": "CC0-1.0",
    "artist": "someone",
    "id": 7,
    "page": {"number": 1, "of": [1, 2, {"x": None}]},
}


def digest(folder: Path) -> str:
    """Of all names, sizes, dates and contents below a folder."""
    digester = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        digester.update(f"{path} {status.st_mode} {status.st_mtime_ns}".encode() + content)
    return digester.hexdigest()


# --- kinds: each spoils something in the case's folder and says which commands read it ------------


def spoil_file(path: Path, hostile: Hostile, *, is_alone: bool) -> None:
    """One file of a WORK, DATASET or RUN, by what it is; or exchanged for what is no file.

    is_alone: of a DATASET or RUN.
    """
    dice, data = hostile.dice, path.read_bytes()
    if dice.random() < 0.06:
        path.unlink()
        dice.choice(
            (
                lambda: os.mkfifo(path),
                # The Hub's cache is made of links: those of data sets and runs are read, and only parsed.
                lambda: path.symlink_to(hostile.decoy / ("fifo" if is_alone else "secret.png")),
                lambda: path.symlink_to("/dev/zero"),
                path.mkdir,
                lambda: path.symlink_to(hostile.decoy / "fifo"),
            )
        )()
        return
    if path.suffix == ".tar" and dice.random() < 0.5:
        path.write_bytes(hostile.archive([picture(n) for n in range(3)])[1])
    elif path.suffix in (".json", ".toml", ".parquet", ".safetensors") and dice.random() < 0.8:
        path.write_bytes(_structured(path, data, hostile))
    else:
        path.write_bytes(hostile.struck(data))


def _structured(path: Path, data: bytes, hostile: Hostile) -> bytes:
    if path.suffix == ".toml":
        return hostile.toml(data.decode()).encode("utf-8", "surrogatepass")
    if path.suffix == ".parquet":
        return hostile.table(data)
    if path.suffix == ".safetensors":
        size = int.from_bytes(data[:8], "little")
        head = dumps(hostile.json(json.loads(data[8 : 8 + size])))
        return len(head).to_bytes(8, "little") + head + data[8 + size :]
    return dumps(hostile.json(json.loads(data)))


def _spoil_some(folder: Path, hostile: Hostile) -> None:
    if isinstance(hostile, Harmless):
        return
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock" and p.stat().st_size]
    for path in hostile.dice.sample(paths, hostile.dice.choice((1, 1, 1, 2, 4))):
        spoil_file(path, hostile, is_alone=folder.name != "work")


def workspace(case: Path, hostile: Hostile) -> Iterator[Words]:
    _spoil_some(case / "work", hostile)
    if hostile.dice.random() < 0.5:
        save(case / "pile/9.png", drawing(9, 48, 48))
    looks = (
        ("status", case / "work"),
        ("query", case / "work", "SELECT * FROM records"),
        ("report", case / "work"),
    )
    yield hostile.dice.choice(looks)
    yield "run", "quickstart", case / "work"


def dataset(case: Path, hostile: Hostile) -> Iterator[Words]:
    _spoil_some(case / "work/dataset", hostile)
    yield "audit", case / "work/dataset"
    yield (
        "train-baseline",
        TINY,
        case / "work/dataset",
        case / "run2",
        "--set",
        "train.images=4",
        "--device",
        "cpu",
    )


def training(case: Path, hostile: Hostile) -> Iterator[Words]:
    _spoil_some(case / "run", hostile)
    yield "colorize", case / "run", case / "pile/0.png", "-o", case / "out", "--device", "cpu"
    yield (
        "train-baseline",
        TINY,
        case / "work/dataset",
        case / "run",
        "--set",
        "train.images=12",
        "--device",
        "cpu",
    )


def sidecars(case: Path, hostile: Hostile) -> Iterator[Words]:
    pile = case / "pile"
    for n in range(4):
        document = hostile.json(SIDECAR)
        data = dumps(document)
        name = hostile.dice.choice((f"{n}.json", f"{n}.png.json", f"{n}.txt", f"{n}.info.json"))
        (pile / name).write_bytes(hostile.struck(data) if hostile.dice.random() < 0.3 else data)
    rows = ["file_name,text,license,source,url"]
    rows += [",".join([f"{n}.png", *(_cell(hostile) for _ in range(4))]) for n in range(6)]
    data = "\n".join(rows).encode("utf-8", "surrogatepass")
    (pile / "metadata.csv").write_bytes(hostile.struck(data) if hostile.dice.random() < 0.3 else data)
    for n in range(2):
        name = (hostile.word()[:80].replace("/", "_").replace("\0", "") or "x").encode("utf-8", "replace")[
            :200
        ]
        (pile / os.fsdecode(name + b".png")).write_bytes(hostile.struck(picture(50 + n)))
    yield from _taken_in(case, hostile, pile)


def _cell(hostile: Hostile) -> str:
    return '"' + hostile.word().replace('"', '""') + '"'


def _taken_in(case: Path, hostile: Hostile, source: object) -> Iterator[Words]:
    """A whole recipe over it, and a look at what came of it."""
    quick = [word for setting in QUICK for word in ("--set", f"ingest.fetch.{setting}")]
    yield "run", "quickstart", case / "new", source, *SETTINGS, *quick
    looks = (
        ("status", case / "new"),
        ("clean", case / "new", "--explain", "0"),
        ("query", case / "new", "SELECT * FROM records", "--format", "csv"),
        ("query", case / "new", "SELECT * FROM records"),
        ("audit", case / "new/dataset"),
    )
    yield hostile.dice.choice(looks)


def lists(case: Path, hostile: Hostile) -> Iterator[Words]:
    dice = hostile.dice
    urls = [hostile.word() if dice.random() < 0.7 else f"http://{hostile.host}/good/{n}" for n in range(8)]
    ending = dice.choice(("txt", "csv", "tsv", "jsonl", "txt.gz", "parquet"))
    path = case / f"list.{ending}"
    path.write_bytes(_list(urls, ending, hostile))
    yield from _taken_in(case, hostile, f"urls:{path}")


def _list(urls: list[str], ending: str, hostile: Hostile) -> bytes:
    import gzip  # noqa: PLC0415
    import io  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    if ending == "parquet":
        file = io.BytesIO()
        clean = [url.encode("utf-8", "replace").decode() for url in urls]
        pq.write_table(pa.table({"url": clean, "caption": clean[::-1]}), file)
        return (
            hostile.table(file.getvalue()) if hostile.dice.random() < 0.7 else hostile.struck(file.getvalue())
        )
    if ending == "jsonl":
        data = b"\n".join(dumps(hostile.json({"url": url, "caption": "x", "tags": ["a"]})) for url in urls)
    else:
        mark = {"csv": ",", "tsv": "\t"}.get(ending, "\n")
        lines = (
            urls
            if mark == "\n"
            else ["url" + mark + "caption", *(f"{u}{mark}{_cell(hostile)}" for u in urls)]
        )
        data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if ending.endswith("gz"):
        data = gzip.compress(data + b"x" * hostile.dice.choice((0, 0, 64 << 20)))
    return hostile.struck(data) if hostile.dice.random() < 0.3 else data


def tables(case: Path, hostile: Hostile) -> Iterator[Words]:
    import io  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    words = [hostile.word().encode("utf-8", "replace").decode() for _ in range(4)]
    structs = [{"bytes": picture(n), "path": word} for n, word in enumerate(words)]
    plain = {"image": [hostile.struck(picture(n)) for n in range(4)], "text": words, "source": words[::-1]}
    file = io.BytesIO()
    pq.write_table(pa.table(hostile.dice.choice(({"image": structs, "text": words}, plain))), file)
    spoilt = hostile.table if hostile.dice.random() < 0.4 else hostile.struck
    data = file.getvalue()
    (case / "t.parquet").write_bytes(spoilt(data) if hostile.dice.random() < 0.6 else data)
    yield from _taken_in(case, hostile, f"parquet:{case}/t.parquet")


def archives(case: Path, hostile: Hostile) -> Iterator[Words]:
    ending, data = hostile.archive([hostile.struck(picture(n)) if n % 2 else picture(n) for n in range(4)])
    (case / f"a.{ending}").write_bytes(data)
    kind = hostile.dice.choice(("", "webdataset:")) if ending == "tar" else ""
    yield from _taken_in(case, hostile, f"{kind}{case}/a.{ending}")


def answers(case: Path, hostile: Hostile) -> Iterator[Words]:
    number = hostile.dice.randrange(10**9)
    paths = [f"foreign/{number}/{n}.png" for n in range(4)] + [f"foreign/{number}/a.tar"]
    (case / "list.txt").write_text("\n".join(f"http://{hostile.host}/{path}" for path in paths))
    source = f"urls:{case}/list.txt"
    if hostile.dice.random() < 0.2:
        source = f"http://{hostile.host}/foreign/{number}/a.tar"
    yield from _taken_in(case, hostile, source)


KINDS: dict[str, Callable[[Path, Hostile], Iterator[Words]]] = {
    "workspace": workspace,
    "dataset": dataset,
    "run": training,
    "sidecars": sidecars,
    "lists": lists,
    "tables": tables,
    "archives": archives,
    "answers": answers,
}
ONLINE = ("lists", "answers", "workspace", "sidecars")  # may reach the server


async def answer(client: Client, asked: Asked) -> None:
    """The way of a server: hostile, by the number in its path, the same each time."""
    words = asked.path.split("/")
    hostile = Hostile(random.Random(asked.path), Path("/nowhere"), asked.headers.get("host", "x"))
    body = hostile.rules() if "foreign" not in words else picture(3)
    if asked.path.endswith(".tar"):
        body = hostile.archive([picture(n) for n in range(3)])[1]
    await client.send(hostile.answer(body))
    client._writer.close()


# --- judging --------------------------------------------------------------------------------------


def faults(lane: Lane, kind: str, seed: int, number: int) -> list[str]:
    """What is amiss with one case."""
    if kind not in lane.memory:
        lane.memory[kind] = MOST
        _, lane.memory[kind] = _read(lane, kind, seed, 0, Harmless)
    amiss, most = _read(lane, kind, seed, number, Hostile)
    if most > min(MOST, lane.memory[kind] + MEMORY):
        amiss.append(f"{most >> 20} MB, {lane.memory[kind] >> 20} MB for a sound one")
    return [*amiss, *_of_files(lane, kind)]


def _read(lane: Lane, kind: str, seed: int, number: int, spoils: type[Hostile]) -> tuple[list[str], int]:
    """Make a case and run its commands: what is amiss with their ends, and the most memory of one."""
    dice = random.Random(f"{seed} {kind} {number}")
    host = f"127.0.0.1:{lane.web.port}"
    amiss, most = list[str](), 0
    for words in KINDS[kind](lane.fresh(), spoils(dice, lane.decoy, host)):
        ended, memory, seconds = lane.run(*words)
        amiss += [f"{words[0]}: {what}" for what in _of_end(ended, seconds)]
        most = max(most, memory)
    return amiss, most


def _of_end(ended: Ended, seconds: float) -> Iterator[str]:
    if ended.code not in CODES:
        yield f"ended with {ended.code}: {ended.err[-600:]}"
    elif ended.code not in (0, 1) and not _is_typed(ended):
        yield f"no typed error: {ended.err[-600:]}"
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        yield f"a traceback: {ended.err[-2500:]}"
    if seconds > SECONDS:
        yield f"it took {seconds:.0f} s"
    for name, text in (("stdout", ended.out), ("stderr", ended.err)):
        raw = {hex(ord(letter)) for letter in text if ord(letter) in RAW}
        if raw:
            yield f"control bytes {sorted(raw)} in {name}"
        if SECRET in text:
            at = text.index(SECRET)
            yield f"a secret in {name}: {text[max(0, at - 200) : at + 50]}"


def _is_typed(ended: Ended) -> bool:
    lines = ended.err.strip().splitlines()
    return any(line.partition(":")[0].isidentifier() for line in lines) or "Usage:" in ended.err


def _of_files(lane: Lane, kind: str) -> Iterator[str]:
    seen = lane.seen()
    case, home = str(lane.case), str(lane.home / "home")
    ours = (case, home, str(lane.nursery.folder))
    readable = (
        *ours,
        *SYSTEM,
        *{sys.prefix, sys.base_prefix, *filter(None, sys.path), str(Path(__file__).resolve().parents[2])},
    )
    for path in sorted(seen.written):
        if not path.startswith((*ours, "/dev/", "/proc/self", "/proc/thread-self")):
            yield f"wrote or deleted {path}"
    for path in sorted(seen.read):
        known = _above(lane.case) | {str(lane.decoy / "fifo")}  # opened without waiting, and seen to be none
        if path.startswith("/") and not path.startswith(readable) and path not in known:
            yield f"read {path}"
    for path in sorted(seen.started):
        if Path(path).resolve() != Path(sys.executable).resolve() and not path.startswith(
            ("/usr", "/bin", "/sbin")
        ):
            yield f"started {path}"
    far = {a for a in seen.reached if not a.startswith("/")} - (
        {"127.0.0.1", "::1"} if kind in ONLINE else set()
    )
    if far:
        yield f"reached {sorted(far)}"
    if not lane.decoy_is_whole():
        yield "the decoy has changed"


def _above(path: Path) -> set[str]:
    return {str(above) for above in path.parents}


def secret_in(folder: Path) -> list[str]:
    """The files below a folder that hold the secret."""
    needle = SECRET.encode()
    return [
        str(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.is_symlink() and needle in p.read_bytes()
    ]
