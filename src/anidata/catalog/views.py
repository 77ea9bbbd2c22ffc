"""The SQL of the catalog's views: the four that users ask, and those below them, whose names begin with an underscore.

Rows are merged and reasons joined for the exceptions alone, which are listed in small tables of their own (Catalog._exceptions).
Joins hold their right side in memory.
"""

from collections.abc import Sequence

# What has been decided about the picture i, whose key is `key`. Most are kept and single: tables that tell of the others alone are small.
_CHANGED = "list_contains(c.reasons, 'changed')"
_REASONS = "CASE WHEN i.error IS NOT NULL THEN ['failed'] WHEN c.key IS NOT NULL THEN c.reasons WHEN u.key IS NULL AND i.key IS NOT NULL THEN [] END"
_KEEP = "CASE WHEN i.error IS NOT NULL OR c.key IS NOT NULL THEN false WHEN u.key IS NULL AND i.key IS NOT NULL THEN true END"  # null: nothing decided yet

SETTLED = "settled"  # in place of an error: what an earlier row by this name said is so no more, and it is in no view
SIGHTINGS = f"""FROM _records ANTI JOIN _listed_again USING (record) UNION ALL
    FROM (FROM _records SEMI JOIN _listed_again USING (record) QUALIFY row_number() OVER (PARTITION BY record ORDER BY generation DESC) = 1)
    WHERE error IS DISTINCT FROM '{SETTLED}'"""
# Nearly all have a place, so these tables are large: what doesn't ask for it takes _decided or _told.
_PLACED = "LEFT JOIN (SELECT key, split FROM _splits) USING (key) LEFT JOIN (SELECT key, shard FROM _samples) USING (key)"


def statements(columns: Sequence[str]) -> list[str]:
    """CREATE VIEW, in their order. columns: of a picture, the measures and codes."""
    codes = ", ".join(["format", "width", "height", "frames", "bytes", "transparency", *columns])
    return [
        # the latest generation's word on a sighting
        f"CREATE VIEW _sightings AS {SIGHTINGS}",
        """CREATE VIEW _merged AS SELECT key, url, license, rating, artist, list_sort(list_distinct(coalesce(tags, []))) AS tags,
           caption, file, kind AS source, 1::BIGINT AS sightings, line_key FROM _sightings ANTI JOIN _seen_again USING (key) WHERE key IS NOT NULL
           UNION ALL BY NAME SELECT key, min(url) AS url, arg_min(license, (-l.rank, license)) AS license, arg_min(rating, (-r.rank, rating)) AS rating,
           string_agg(DISTINCT artist, ', ' ORDER BY artist) AS artist, list_sort(list_distinct(flatten(list(coalesce(tags, []))))) AS tags,
           min(caption) AS caption, min(file) AS file, min(kind) AS source, count(*) AS sightings, min(line_key) AS line_key
           FROM _sightings SEMI JOIN _seen_again USING (key) LEFT JOIN _license_rank l ON license = l.word LEFT JOIN _rating_rank r ON rating = r.word
           GROUP BY key""",
        # where a picture's bytes lie, and its lines', by record; `uri` and `offset` are the first of them
        f"""CREATE VIEW _places AS SELECT key, [{_place("at")}] AS places, [{_place("line")}] AS lines, at_uri AS uri, at_offset AS "offset"
           FROM _sightings ANTI JOIN _seen_again USING (key) WHERE key IS NOT NULL AND at_uri IS NOT NULL
           UNION ALL SELECT key, list({_place("at")} ORDER BY record), list({_place("line")} ORDER BY record), min(at_uri), min(at_offset)
           FROM _sightings SEMI JOIN _seen_again USING (key) WHERE at_uri IS NOT NULL GROUP BY key""",
        # a picture seen twice in one generation may stand in two parts: the rows are equal
        """CREATE VIEW _distinct AS FROM _images ANTI JOIN _measured_again USING (key) UNION ALL FROM _images SEMI JOIN _measured_again USING (key)
           QUALIFY row_number() OVER (PARTITION BY key ORDER BY error NULLS FIRST) = 1""",
        # still seen somewhere; with what its sightings say
        "CREATE VIEW _seen AS FROM _distinct ANTI JOIN _unseen USING (key)",
        "CREATE VIEW _pictures AS SELECT * FROM _distinct JOIN _merged USING (key)",
        """CREATE VIEW _kept AS FROM _seen ANTI JOIN (SELECT key FROM _clean WHERE len(reasons) > 0) USING (key)
           ANTI JOIN (SELECT key FROM _dedup WHERE len(reasons) > 0) USING (key) WHERE error IS NULL""",
        """CREATE VIEW _rejected AS SELECT key, flatten(list(reasons ORDER BY stage)) AS reasons, any_value(message) AS message FROM
           (SELECT key, reasons, NULL AS message, 1 AS stage FROM _clean UNION ALL SELECT key, reasons, NULL, 2 FROM _dedup
           UNION ALL SELECT key, reasons, message, 3 FROM _lineart) WHERE len(reasons) > 0 GROUP BY key""",
        "CREATE VIEW _related AS FROM _dedup WHERE relation <> 'single'",
        # the readable pictures in candidate pairs
        """CREATE VIEW _joined AS SELECT key FROM _seen SEMI JOIN (SELECT a AS key FROM _edges UNION ALL SELECT b FROM _edges) USING (key)
           WHERE error IS NULL""",
        # candidate pairs of readable pictures with the verdict on them; null: not given yet
        """CREATE VIEW _links AS SELECT e.a, e.b, e.mirrored, e.distance, coalesce(e.relation, r.relation) AS relation
           FROM _edges e LEFT JOIN (SELECT DISTINCT ON (a, b, mirrored) * FROM _relations) r ON e.a = r.a AND e.b = r.b AND e.mirrored = r.mirrored
           WHERE e.a IN (FROM _joined) AND e.b IN (FROM _joined)""",
        # what has been decided about a picture, but for its place in the data set
        f"""CREATE VIEW _decided AS SELECT i.key, CASE WHEN i.error IS NOT NULL THEN 'failed' WHEN {_CHANGED} THEN 'changed' ELSE 'ok' END AS status,
           coalesce(i.error, CASE WHEN {_CHANGED} THEN 'changed' END) AS error, coalesce(i.message, c.message) AS message, {codes},
           {_KEEP} AS keep, {_REASONS} AS reasons, {_verdict("i.key")} FROM _seen i {_joins("i.key")}""",
        f"""CREATE VIEW images AS SELECT key, status, error, message, sightings, file, source, url, license, artist, rating, tags, caption, {codes},
           keep, reasons, cluster, keeper, relation, distance, split, shard FROM _decided JOIN _merged USING (key) {_PLACED}""",
        # the same for a sighting
        f"""CREATE VIEW _told AS SELECT r.record, r.key, r.kind AS source,
           CASE WHEN r.root = 'urls:' THEN r.url ELSE r.root || '/' || r.name END AS uri, r.file, r.url, r.license, r.artist,
           r.rating, r.tags, r.caption, CASE WHEN coalesce(r.error, i.error) IS NOT NULL THEN 'failed' WHEN {_CHANGED} THEN 'changed'
           ELSE 'ok' END AS status, coalesce(r.error, i.error, CASE WHEN {_CHANGED} THEN 'changed' END) AS error,
           coalesce(r.message, i.message, c.message) AS message, r.extra, r.line_key, r.line_error, {codes.replace("bytes", "i.bytes")},
           CASE WHEN r.error IS NOT NULL THEN false ELSE {_KEEP} END AS keep,
           CASE WHEN r.error IS NOT NULL THEN ['failed'] ELSE {_REASONS} END AS reasons, {_verdict("r.key")}
           FROM _sightings r LEFT JOIN _distinct i ON r.key = i.key {_joins("r.key")}""",
        f"CREATE VIEW records AS FROM _told {_PLACED}",
        "CREATE VIEW pairs AS SELECT key, style, drawn, suffix, width, height, ink, stroke_width, components, specks, size, fingerprint FROM _pairs",
        "CREATE VIEW samples AS SELECT * FROM _samples",
        # what is asked for a sighting's lineart goes by RECORD.line
        """CREATE VIEW fetches AS SELECT split_part(record, '.', 1) AS record, ends_with(record, '.line') AS line, url, final_url, asked,
           CASE WHEN error IS NULL THEN 'ok' ELSE 'failed' END AS status, error, message, http, redirects, tries, at_size AS bytes,
           type, etag, modified, robots_tag, tdm_reservation, tdm_policy, content_usage, ignored, generation FROM _fetched""",
    ]


def _place(which: str) -> str:
    """Where the bytes of a sighting lie: `at` of the picture, `line` of its lines."""
    return f'{{uri: {which}_uri, "offset": {which}_offset, size: {which}_size, line: line_key}}'


def _joins(key: str) -> str:
    tables = {"c": "_rejected", "u": "_undecided", "d": "_related", "a": "_unjoined"}
    return " ".join(f"LEFT JOIN {table} {name} ON {key} = {name}.key" for name, table in tables.items())


def _verdict(key: str) -> str:
    single = {"cluster": key, "keeper": key, "relation": "'single'"}
    found = [
        f"CASE WHEN d.key IS NOT NULL THEN d.{name} WHEN a.key IS NULL AND i.key IS NOT NULL THEN {value} END AS {name}"
        for name, value in single.items()
    ]
    return ", ".join([*found, "d.distance"])
