"""The few rows that the catalog's views treat apart: found by hashes, checked against sets of keys."""

from collections import Counter
from uuid import uuid4

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.catalog import exceptions

KEYS = st.sampled_from("abcdef")
LISTED = st.lists(st.tuples(KEYS, st.none() | KEYS), max_size=8)


def exceptions_of(records, images, dedup, clean, **asked):
    """Name → keys, of sightings (record, key) in the order of their generations."""
    con = duckdb.connect()
    rows = [{"record": r, "key": k, "error": None, "generation": n} for n, (r, k) in enumerate(records)]
    text = pa.string()
    schema = pa.schema({"record": text, "key": text, "error": text, "generation": pa.int32()})
    con.register("_records", pa.Table.from_pylist(rows, schema))
    for name, keys in (("_images", images), ("_dedup", dedup), ("_clean", clean)):
        con.register(name, pa.table({"key": pa.array(keys, text)}))

    def select(sql, **tables):
        for name, table in tables.items():
            con.register(name, table)
        return con.sql(sql).to_arrow_table()

    wanted = {"joined": True, "decided": True, "complete": ["_clean"]} | asked
    answer = exceptions.tables(select, str(uuid4()), **wanted)
    return {name: sorted(table.column(0).to_pylist()) for name, table in answer.items()}


def twice(values):
    return sorted(value for value, count in Counter(values).items() if value is not None and count > 1)


@settings(deadline=None)
@given(LISTED, st.lists(KEYS, max_size=8), st.sets(KEYS), st.sets(KEYS))
def test_exceptions_are_those_that_sets_of_keys_give(records, images, dedup, clean):
    latest = dict(records)
    assert exceptions_of(records, images, sorted(dedup), sorted(clean)) == {
        "_listed_again": twice(record for record, _ in records),
        "_seen_again": twice(key for _, key in records),
        "_measured_again": twice(images),
        "_unseen": sorted(set(images) - set(latest.values())),
        "_unjoined": sorted(set(images) - dedup),
        "_undecided": sorted(set(images) - dedup - clean),
    }


def test_what_is_not_asked_for_is_empty():
    nothing = exceptions_of([("a", "a")], ["a", "b"], [], [], joined=False, decided=False)
    assert (nothing["_unseen"], nothing["_unjoined"], nothing["_undecided"]) == (["b"], [], [])
