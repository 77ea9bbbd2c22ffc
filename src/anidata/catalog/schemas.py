"""The columns of every table, and the views' names."""

from functools import cache

import pyarrow as pa

from anidata import registry

VIEWS = ("records", "images", "pairs", "samples", "fetches")
# In place of an error: what an earlier row by this name said is so no more, and it is in no view.
SETTLED = "settled"
# the tables that have parts
PARTED = ("records", "images", "edges", "place_edges", "relations", "pairs", "fetched")
RETRIED = ("timeout", "killed", "missing", "unreadable")  # never final: the next run tries again


def _reference(prefix: str) -> list[tuple[str, pa.DataType]]:
    """The columns of a storage.Reference, where some bytes lie."""
    return [
        (f"{prefix}_uri", pa.string()),
        (f"{prefix}_offset", pa.int64()),
        (f"{prefix}_size", pa.int64()),
    ]


SIGHTINGS = pa.schema(
    [
        ("record", pa.string()),
        ("generation", pa.int32()),
        ("kind", pa.string()),
        ("root", pa.string()),
        ("name", pa.string()),
        ("file", pa.string()),
        *_reference("at"),
        *_reference("line"),
        ("error", pa.string()),
        ("message", pa.string()),
        ("stamp", pa.string()),
        ("url", pa.string()),
        ("license", pa.string()),
        ("artist", pa.string()),
        ("rating", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("caption", pa.string()),
        ("extra", pa.string()),  # what else the source says, as JSON
        ("line_error", pa.string()),  # why there is no lineart though the source names one
        # Sent to the hosts of pictures that the source names with one.
        ("referer", pa.string()),
        ("line_referer", pa.string()),
    ]
)
FETCHED = pa.schema(
    [
        ("record", pa.string()),
        ("generation", pa.int32()),
        ("url", pa.string()),
        ("final_url", pa.string()),
        ("asked", pa.timestamp("us", "UTC")),
        ("http", pa.int32()),
        ("error", pa.string()),
        ("message", pa.string()),
        *_reference("at"),
        ("redirects", pa.int32()),
        ("tries", pa.int32()),
        ("etag", pa.string()),
        ("modified", pa.string()),
        ("type", pa.string()),
        ("robots_tag", pa.string()),
        ("tdm_reservation", pa.string()),
        ("tdm_policy", pa.string()),
        ("content_usage", pa.string()),
        ("ignored", pa.string()),
    ]
)
RECORDS = pa.schema([*SIGHTINGS, pa.field("key", pa.string()), pa.field("line_key", pa.string())])
PICTURE = [
    ("key", pa.string()),
    ("error", pa.string()),
    ("message", pa.string()),
    ("bytes", pa.int64()),
    ("format", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("frames", pa.int32()),
    ("transparency", pa.float32()),
]
CODES = [
    ("phash", pa.uint64()),
    ("phash_flip", pa.uint64()),
    ("colors", pa.binary()),
    ("pixels", pa.binary()),
    ("degenerate", pa.bool_()),
    ("content", pa.float32()),  # share of the frame that lies within plain borders
]
# windows.CODE and place_codes.PLACE, one behind the other; in no view, for they tell nobody anything.
WINDOWS = ("windows", pa.binary())
PLACES = ("place_codes", pa.binary())  # null: an earlier version's
_MET = [
    ("a", pa.string()),
    ("b", pa.string()),
    ("mirrored", pa.string()),
    ("turned", pa.uint8()),  # a bit set of ways.TURNS
    ("relation", pa.string()),
]
EDGES = pa.schema([*_MET, ("distance", pa.int32())])
# Where places say that b shows a, as place_agreement.HINT has it; null: they say nothing.
HINT = [("scale", pa.float32()), ("dx", pa.float32()), ("dy", pa.float32())]
PLACE_EDGES = pa.schema([("a", pa.string()), ("b", pa.string()), *HINT, ("agreeing", pa.uint8())])
# better: `a` or `b`, the one nearer to what the artist made; because: the evidence;
# null where pixels don't tell. holds: components may grow over it; null: they may, an earlier version's
RELATIONS = pa.schema(
    [*_MET, ("better", pa.string()), ("because", pa.string()), *HINT, ("holds", pa.bool_())]
)
PAIRS = pa.schema(
    [
        ("key", pa.string()),
        ("style", pa.string()),
        ("fingerprint", pa.string()),
        ("suffix", pa.string()),
        ("tar", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("drawn", pa.string()),
        ("ink", pa.float32()),
        ("stroke_width", pa.float32()),
        ("components", pa.int32()),
        ("specks", pa.int32()),
        ("scribble", pa.float32()),  # null: an earlier version's, and color
        ("digest", pa.string()),  # 24 hex of the SHA-256 of the file's bytes; null: an earlier version's
    ]
)
SPLITS = pa.schema([("key", pa.string()), ("split", pa.string()), ("since", pa.int32())])
SAMPLES = pa.schema([("key", pa.string()), ("split", pa.string()), ("shard", pa.string())])
COLOR = "color"  # what stands in pairs.style for the color picture itself


@cache
def measures() -> dict[str, pa.DataType]:
    """Column → type of every measure in the registry."""
    return {name: registry.load("measures", name).TYPE for name in registry.names("measures")}


@cache
def images_schema() -> pa.Schema:
    """The columns of a picture: its file's, the measures', and the codes that dedup compares."""
    return pa.schema([*PICTURE, *measures().items(), *CODES, WINDOWS, PLACES])
