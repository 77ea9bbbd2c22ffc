"""The catalog's views, from views.sql: the measures' columns filled in, and what the stages decide."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from anidata.catalog.decisions import Decision
from anidata.catalog.schemas import SETTLED
from anidata.tar import opening

SQL = Path(__file__).with_suffix(".sql")
SIGHTINGS = f"""FROM _records ANTI JOIN _listed_again USING (record) UNION ALL
    FROM (FROM _records SEMI JOIN _listed_again USING (record)
        QUALIFY row_number() OVER (PARTITION BY record ORDER BY generation DESC) = 1)
    WHERE error IS DISTINCT FROM '{SETTLED}'"""
OWN = ("dedup",)  # decisions whose columns have places of their own in views.sql


def statements(columns: Sequence[str], decisions: Sequence[Decision]) -> list[str]:
    """CREATE VIEW and CREATE MACRO, in their order.

    columns: of a picture, the measures and codes. decisions: of the stages, in order.
    """
    shown = ["format", "width", "height", "frames", "bytes", "transparency", *columns]
    more = [decision for decision in decisions if decision.name not in OWN and decision.columns]
    names = [(decision.name, column) for decision in more for column in decision.columns]
    filled = Template(opening.read_text(SQL)).substitute(
        sightings=SIGHTINGS,
        columns=", ".join(shown),
        columns_of_i=", ".join(f"i.{name}" for name in shown),
        rejections=" UNION ALL ".join(_rejections(decisions)),
        more_values="".join(f", _{table}.{column}" for table, column in names),
        more_names="".join(f", {column}" for _, column in names),
        more_of_pictures=_joins(more, "i.key"),
        more_of_sightings=_joins(more, "r.key"),
    )
    return [text for text in filled.split(";\n") if text.strip()]


def before(stage: str, decisions: Sequence[Decision]) -> list[str]:
    """The views of what stands when a stage begins. decisions: of the stages before it, in order.

    `_rejected_before_STAGE` has key and reasons, `_kept_before_STAGE` the readable pictures that none has
    rejected.
    """
    nothing = "SELECT key, [''] AS reasons, 0 AS stage FROM _images WHERE false"
    rejections = " UNION ALL ".join(_rejections(decisions)) or nothing
    joined = f"SELECT key, flatten(list(reasons ORDER BY stage)) AS reasons FROM ({rejections}) GROUP BY key"
    rejected = f"SELECT key, reasons FROM ({rejections})" if len(decisions) == 1 else joined
    kept = "".join(
        f" ANTI JOIN (SELECT key FROM _{d.name} WHERE len(reasons) > 0) USING (key)" for d in decisions
    )
    return [
        f"CREATE VIEW _rejected_before_{stage} AS {rejected}",
        f"CREATE VIEW _kept_before_{stage} AS FROM _seen{kept} WHERE error IS NULL",
    ]


def _rejections(decisions: Sequence[Decision]) -> Iterator[str]:
    """SQL of each table's rejections, with the stage's number."""
    for number, decision in enumerate(decisions):
        message = "message" if "message" in decision.schema.names else "NULL::VARCHAR AS message"
        columns = f"key, reasons, {message}, {number} AS stage"
        yield f"SELECT {columns} FROM _{decision.name} WHERE len(reasons) > 0"


def _joins(decisions: Sequence[Decision], key: str) -> str:
    return " ".join(f"LEFT JOIN _{d.name} ON {key} = _{d.name}.key" for d in decisions)
