-- The views that users ask, and those below them, whose names begin with an underscore. views.py fills in what begins with a dollar sign.
-- Joins hold their right side in memory: that is the smaller one. Rows are merged and reasons joined for the exceptions alone, which are
-- listed in small tables of their own (exceptions.py). Most pictures are kept and single: tables that tell of the others alone are small.

-- Of a picture by this key: rejected and undecided are its key in those tables. Null: nothing has been decided yet.
CREATE MACRO _keep(error, rejected, undecided, key) AS
    CASE WHEN error IS NOT NULL OR rejected IS NOT NULL THEN false WHEN undecided IS NULL AND key IS NOT NULL THEN true END;
CREATE MACRO _why(error, rejected, reasons, undecided, key) AS
    CASE WHEN error IS NOT NULL THEN ['failed'] WHEN rejected IS NOT NULL THEN reasons
        WHEN undecided IS NULL AND key IS NOT NULL THEN [] END;
-- What dedup says of a picture that has a link; alone: what it says of one that has none; null: it hasn't looked yet.
CREATE MACRO _linked(related, value, unjoined, key, alone) AS
    CASE WHEN related IS NOT NULL THEN value WHEN unjoined IS NULL AND key IS NOT NULL THEN alone END;
-- The code of what failed: when it was first read, or when it was read again and had other bytes.
CREATE MACRO _failure(error, reasons) AS coalesce(error, CASE WHEN list_contains(reasons, 'changed') THEN 'changed' END);
CREATE MACRO _status(error, reasons) AS
    CASE WHEN error IS NOT NULL THEN 'failed' WHEN list_contains(reasons, 'changed') THEN 'changed' ELSE 'ok' END;
-- Where the bytes of a picture, or of its lines, lie.
CREATE MACRO _location(its_uri, its_offset, its_size, its_line) AS
    {uri: its_uri, "offset": its_offset, size: its_size, line: its_line};

-- the latest generation's word on a sighting
CREATE VIEW _sightings AS $sightings;

CREATE VIEW _merged AS
    SELECT key, url, license, rating, artist, list_sort(list_distinct(coalesce(tags, []))) AS tags, caption, file, kind AS source,
        1::BIGINT AS sightings, line_key
    FROM _sightings ANTI JOIN _seen_again USING (key) WHERE key IS NOT NULL
    UNION ALL BY NAME
    SELECT key, min(url) AS url, arg_min(license, (-l.rank, license)) AS license, arg_min(rating, (-r.rank, rating)) AS rating,
        string_agg(DISTINCT artist, ', ' ORDER BY artist) AS artist,
        list_sort(list_distinct(flatten(list(coalesce(tags, []))))) AS tags, min(caption) AS caption, min(file) AS file,
        min(kind) AS source, count(*) AS sightings, min(line_key) AS line_key
    FROM _sightings SEMI JOIN _seen_again USING (key)
        LEFT JOIN _license_rank l ON license = l.word LEFT JOIN _rating_rank r ON rating = r.word
    GROUP BY key;

-- where a picture's bytes lie, and its lines', by record; uri and offset are the first of them
CREATE VIEW _places AS
    SELECT key, [_location(at_uri, at_offset, at_size, line_key)] AS places,
        [_location(line_uri, line_offset, line_size, line_key)] AS lines, at_uri AS uri, at_offset AS "offset"
    FROM _sightings ANTI JOIN _seen_again USING (key) WHERE key IS NOT NULL AND at_uri IS NOT NULL
    UNION ALL
    SELECT key, list(_location(at_uri, at_offset, at_size, line_key) ORDER BY record),
        list(_location(line_uri, line_offset, line_size, line_key) ORDER BY record), min(at_uri), min(at_offset)
    FROM _sightings SEMI JOIN _seen_again USING (key) WHERE at_uri IS NOT NULL GROUP BY key;

-- a picture seen twice in one generation may stand in two parts: the rows are equal
CREATE VIEW _distinct AS
    FROM _images ANTI JOIN _measured_again USING (key)
    UNION ALL
    FROM _images SEMI JOIN _measured_again USING (key) QUALIFY row_number() OVER (PARTITION BY key ORDER BY error NULLS FIRST) = 1;

-- still seen somewhere; with what its sightings say
CREATE VIEW _seen AS FROM _distinct ANTI JOIN _unseen USING (key);
CREATE VIEW _pictures AS SELECT * FROM _distinct JOIN _merged USING (key);

-- the same with what the stages say of it in numbers and words
CREATE VIEW _valued AS SELECT i.* $more_values FROM _seen i $more_of_pictures;

CREATE VIEW _rejected AS
    SELECT key, flatten(list(reasons ORDER BY stage)) AS reasons, any_value(message) AS message FROM ($rejections) GROUP BY key;
CREATE VIEW _related AS FROM _dedup WHERE relation <> 'single';

-- the readable pictures in candidate pairs
CREATE VIEW _joined AS
    SELECT key FROM _seen SEMI JOIN (
        SELECT a AS key FROM _edges UNION ALL SELECT b FROM _edges UNION ALL SELECT a FROM _place_edges UNION ALL SELECT b FROM _place_edges
    ) USING (key) WHERE error IS NULL;

-- pairs that met by their windows, by their places, or by both; those by places alone have no distance
CREATE VIEW _met AS
    SELECT a, b, coalesce(e.mirrored, 'places') AS mirrored, coalesce(e.turned, 0) AS turned, e.distance, e.relation,
        p.scale, p.dx, p.dy, p.agreeing
    FROM _edges e FULL JOIN (SELECT DISTINCT ON (a, b) * FROM _place_edges) p USING (a, b);

-- candidate pairs of readable pictures with their relation; null: not known yet; and which is the better by what evidence
CREATE VIEW _links AS
    SELECT e.a, e.b, e.mirrored, e.turned, e.distance, e.scale, e.dx, e.dy, e.agreeing,
        coalesce(e.relation, r.relation) AS relation, r.better, r.because, coalesce(r.holds, true) AS holds
    FROM _met e LEFT JOIN (
        SELECT DISTINCT ON (a, b, mirrored, coalesce(turned, 0), scale, dx, dy) * FROM _relations
    ) r ON e.a = r.a AND e.b = r.b AND e.mirrored = r.mirrored AND e.turned = coalesce(r.turned, 0)
        AND (e.scale, e.dx, e.dy) IS NOT DISTINCT FROM (r.scale, r.dx, r.dy)
    WHERE e.a IN (FROM _joined) AND e.b IN (FROM _joined);

-- what has been decided about a picture, but for its split and shard: nearly all have these, so their tables are large
CREATE VIEW _decided AS
    SELECT i.key, _status(i.error, c.reasons) AS status, _failure(i.error, c.reasons) AS error,
        coalesce(i.message, c.message) AS message, $columns,
        _keep(i.error, c.key, u.key, i.key) AS keep, _why(i.error, c.key, c.reasons, u.key, i.key) AS reasons,
        _linked(d.key, d.cluster, a.key, i.key, i.key) AS cluster, _linked(d.key, d.keeper, a.key, i.key, i.key) AS keeper,
        _linked(d.key, d.relation, a.key, i.key, 'single') AS relation, d.distance, d.why $more_values
    FROM _seen i LEFT JOIN _rejected c ON i.key = c.key LEFT JOIN _undecided u ON i.key = u.key
        LEFT JOIN _related d ON i.key = d.key LEFT JOIN _unjoined a ON i.key = a.key $more_of_pictures;

CREATE VIEW images AS
    SELECT key, status, error, message, sightings, file, source, url, license, artist, rating, tags, caption, $columns,
        keep, reasons, cluster, keeper, relation, distance, why, split, shard $more_names
    FROM _decided JOIN _merged USING (key)
        LEFT JOIN (SELECT key, split FROM _splits) USING (key) LEFT JOIN (SELECT key, shard FROM _samples) USING (key);

-- the same for a sighting
CREATE VIEW _told AS
    SELECT r.record, r.key, r.kind AS source, CASE WHEN r.root = 'urls:' THEN r.url ELSE r.root || '/' || r.name END AS uri, r.file,
        r.url, r.license, r.artist, r.rating, r.tags, r.caption,
        _status(coalesce(r.error, i.error), c.reasons) AS status, _failure(coalesce(r.error, i.error), c.reasons) AS error,
        coalesce(r.message, i.message, c.message) AS message, r.extra, r.line_key, r.line_error, $columns_of_i,
        CASE WHEN r.error IS NOT NULL THEN false ELSE _keep(i.error, c.key, u.key, i.key) END AS keep,
        CASE WHEN r.error IS NOT NULL THEN ['failed'] ELSE _why(i.error, c.key, c.reasons, u.key, i.key) END AS reasons,
        _linked(d.key, d.cluster, a.key, i.key, r.key) AS cluster, _linked(d.key, d.keeper, a.key, i.key, r.key) AS keeper,
        _linked(d.key, d.relation, a.key, i.key, 'single') AS relation, d.distance, d.why $more_values
    FROM _sightings r LEFT JOIN _distinct i ON r.key = i.key LEFT JOIN _rejected c ON r.key = c.key
        LEFT JOIN _undecided u ON r.key = u.key LEFT JOIN _related d ON r.key = d.key LEFT JOIN _unjoined a ON r.key = a.key
        $more_of_sightings;

CREATE VIEW records AS
    FROM _told LEFT JOIN (SELECT key, split FROM _splits) USING (key) LEFT JOIN (SELECT key, shard FROM _samples) USING (key);

CREATE VIEW pairs AS
    SELECT key, style, drawn, suffix, width, height, ink, stroke_width, components, specks, scribble, size, fingerprint FROM _pairs;
CREATE VIEW samples AS SELECT * FROM _samples;

-- what is asked for a sighting's lineart goes by RECORD.line
CREATE VIEW fetches AS
    SELECT split_part(record, '.', 1) AS record, ends_with(record, '.line') AS line, url, final_url, asked,
        CASE WHEN error IS NULL THEN 'ok' ELSE 'failed' END AS status, error, message, http, redirects, tries, at_size AS bytes,
        type, etag, modified, robots_tag, tdm_reservation, tdm_policy, content_usage, ignored, generation
    FROM _fetched
