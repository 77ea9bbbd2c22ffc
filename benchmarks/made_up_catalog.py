"""A workspace of made-up rows, to time decisions on; without a count, decide on it.

python benchmarks/made_up_catalog.py WORK [COUNT]
"""

import sys
from pathlib import Path

from anidata.engine.startup import slim

slim()  # as a command does; before the imports that it makes leaner

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

from anidata import workspace  # noqa: E402
from anidata.catalog import gathered, schemas, tables  # noqa: E402
from anidata.stages.clean import stage as clean  # noqa: E402

PART = 10_000  # rows
# The largest value of a measure; of others 1.
SPANS = {
    "noise": 4.0,
    "chroma": 200.0,
    "white_point": 255.0,
    "black_point": 120.0,
    "jpeg_blocks": 0.6,
}


def make(work: workspace.Workspace, count: int) -> None:
    rng = np.random.default_rng(0)
    for part in range(count // PART):
        keys = pa.array([rng.bytes(12).hex() for _ in range(PART)])
        pictures = {f.name: column(f, keys, rng) for f in schemas.images_schema()}
        records = {f.name: record_column(f, keys) for f in schemas.RECORDS}
        name = f"part-00000-{part:05d}.parquet"
        tables.write(work.folder("images") / name, pa.table(pictures, schema=schemas.images_schema()))
        tables.write(work.folder("records") / name, pa.table(records, schema=schemas.RECORDS))
    for name in ("records", "images"):
        gathered.gather(work, name)


def column(field: pa.Field, keys: pa.Array, rng: np.random.Generator) -> pa.Array:
    if field.name == "key":
        return keys
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
        make(workspace.create(home), int(sys.argv[2]))
    else:
        print(clean.run(workspace.open_workspace(home), clean.Config()))
