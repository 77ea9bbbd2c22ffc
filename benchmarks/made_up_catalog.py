"""A workspace of made-up rows, to time decisions on; without a count, decide on it.

python benchmarks/made_up_catalog.py WORK [COUNT [linked]]

linked: 60 of 100 pictures are in clusters of 2 to 12, of which all pairs are known, and it is dedup that
decides on them; 100,000 pictures with 169,833 links take about 4 s of CPU.
"""

import random
import sys
import time
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

from anidata.engine.startup import slim

slim()  # as a command does; before the imports that it makes leaner

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

from anidata import pipeline, recipe, workspace  # noqa: E402
from anidata.catalog import gathered, schemas, tables  # noqa: E402
from anidata.stages.clean import stage as clean  # noqa: E402
from anidata.stages.dedup import stage as dedup  # noqa: E402
from anidata.stages.dedup.config import Config  # noqa: E402
from anidata.stages.dedup.decision import DECISION  # noqa: E402

PART = 10_000  # rows
SIZES = (2, 2, 2, 3, 3, 4, 6, 12)  # of clusters
CLUSTERED, MIRRORED = 0.6, 0.1  # shares of the pictures, and of the links
KEYS = pa.schema([("key", pa.string())])
# The largest value of a measure; of others 1.
SPANS = {
    "noise": 4.0,
    "chroma": 200.0,
    "white_point": 255.0,
    "black_point": 120.0,
    "jpeg_blocks": 0.6,
}


def make(work: workspace.Workspace, count: int, *, linked: bool) -> None:
    rng = np.random.default_rng(0)
    for part in range(count // PART):
        keys = pa.array([rng.bytes(12).hex() for _ in range(PART)])
        pictures = {f.name: column(f, keys, rng) for f in schemas.images_schema()}
        records = {f.name: record_column(f, keys) for f in schemas.RECORDS}
        name = f"part-00000-{part:05d}.parquet"
        tables.write(work.folder("images") / name, pa.table(pictures, schema=schemas.images_schema()))
        tables.write(work.folder("records") / name, pa.table(records, schema=schemas.RECORDS))
    if linked:
        link(work)
    for name in ("records", "images", "edges", "relations"):
        gathered.gather(work, name)


def link(work: workspace.Workspace) -> None:
    """Make clusters of pictures of which all pairs are known."""
    chance = random.Random(0)  # noqa: S311
    parts = tables.files(work.folder("images"))
    keys = [key for path in parts for key in tables.read(path, KEYS).column("key").to_pylist()]
    edges, relations, start = [], [], 0
    while start < len(keys) * CLUSTERED:
        size = chance.choice(SIZES)
        for a, b in combinations(sorted(keys[start : start + size]), 2):
            mirrored = chance.random() < MIRRORED
            ends = {"a": a, "b": b, "mirrored": "yes" if mirrored else "no", "turned": 0}
            relation = "flip" if mirrored else chance.choice(("reencoded", "reencoded", "crop", "variant"))
            edges.append({**ends, "distance": chance.randint(0, 8)})
            evidence = {} if mirrored else {"better": "a", "because": "detail"}
            relations.append({**ends, "relation": relation, **evidence})
        start += size
    tables.write(work.folder("edges") / "00000.parquet", tables.table(edges, schemas.EDGES))
    tables.write(work.folder("relations") / "part-00000.parquet", tables.table(relations, schemas.RELATIONS))


def decide(work: workspace.Workspace) -> float:
    """Seconds of CPU in which clean decides, or dedup again, where there are links."""
    if not tables.files(work.folder("edges")):
        begun = time.process_time()
        clean.run(SimpleNamespace(workspace=work, recipe=pipeline.Recipe()))
        return time.process_time() - begun
    made = {"settings": recipe.document_of(Config()), "joined": "", "waiting": 0}
    tables.write(DECISION.path(work), DECISION.schema.empty_table(), made)
    begun = time.process_time()
    dedup.decide_again(SimpleNamespace(workspace=work))
    return time.process_time() - begun


def column(field: pa.Field, keys: pa.Array, rng: np.random.Generator) -> pa.Array:
    if field.name == "key":
        return keys
    if field.name == "pixels":
        return pa.array([rng.bytes(16) for _ in range(PART)], field.type)
    if field.name == "content":
        return pa.array(np.ones(PART), field.type)
    if field.name in {"width", "height"}:
        return pa.array(rng.integers(200, 3000, PART), field.type)
    if field.name in schemas.measures():
        values = pa.array(rng.random(PART) * SPANS.get(field.name, 1), pa.float64())
        return values.cast(field.type, safe=False)
    return pa.nulls(PART, field.type)


def record_column(field: pa.Field, keys: pa.Array) -> pa.Array:
    return keys if field.name in {"record", "key", "file"} else pa.nulls(PART, field.type)


if __name__ == "__main__":
    home = Path(sys.argv[1])
    if len(sys.argv) > 2:
        make(workspace.create(home), int(sys.argv[2]), linked="linked" in sys.argv[3:])
    else:
        print(f"{decide(workspace.open_workspace(home)):.2f} s")
