"""The catalog for SQL that others have written: it reads the views, and no file at all."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from anidata import ownership
from anidata.catalog.catalog import Catalog
from anidata.catalog.schemas import VIEWS
from anidata.errors import QueryError
from anidata.workspace import TMP

HARMLESS = ("range", "generate_series", "repeat", "repeat_row", "unnest")  # functions in place of a table
SCHEMAS = ("", "main", "temp", "information_schema", "pg_catalog")
NAME = re.compile(r"\w*")  # of a table: DuckDB takes other names for files


class Sealed(Catalog):
    """The same for SQL that a user has written: nothing but the views can be read, and nothing written."""

    sealed = True

    def ask(self, sql: str) -> pa.Table:
        """The answer to SQL that a user typed.

        Raises: QueryError: more or other than one SELECT, or SQL that fails.
        """
        import duckdb  # noqa: PLC0415

        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise _refused(error) from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                f"one SELECT over the views {', '.join(VIEWS)}, and nothing else, "
                "for example: SELECT file, keep FROM records"
            )
        try:
            return self.select(sql)
        except duckdb.OutOfMemoryException:
            return self._ask_with_room(sql)
        except duckdb.Error as error:
            raise _refused(error) from error

    def _ask_with_room(self, sql: str) -> pa.Table:
        """The answer with a private folder for what doesn't fit into memory.

        There alone files can be read, those that DuckDB itself has put there: SQL that might is refused.
        """
        import duckdb  # noqa: PLC0415

        if strange := self._strangers(sql):
            raise QueryError(
                f"it takes more memory than there is, and asks more than the views: {strange}. "
                f"Ask the views {', '.join(VIEWS)} alone, or for less"
            )
        tmp = self._workspace.folder(TMP)
        with ownership.scratch(tmp) as folder, Sealed(self._workspace, spill=folder) as views:
            try:
                return views.select(sql)
            except duckdb.Error as error:
                raise _refused(error) from error

    def _strangers(self, sql: str) -> str:
        """The names in a SELECT that are neither a table's nor a harmless function's."""
        text = self._connection.database.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0]
        tree = json.loads(text)
        if tree["error"]:
            return "statements like PIVOT"
        return ", ".join(name for node in _nodes(tree) if (name := _stranger(node)))

    def failing(self, condition: str) -> set[str]:
        """The keys of the readable pictures for which an SQL condition isn't true.

        Raises: QueryError: no such column, or no SQL.
        """
        answer = self.ask(f"SELECT key FROM _pictures WHERE error IS NULL AND (({condition}\n) IS NOT TRUE)")
        return set(answer.column("key").to_pylist())

    def _scan(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        # It imports pandas where that is installed, which a run can do without.
        from pyarrow import dataset  # noqa: PLC0415

        self._add(name, dataset.dataset(list(paths), schema=schema))


def _refused(error: Exception) -> QueryError:
    """What DuckDB says, in one line."""
    return QueryError(" ".join(f"{error}".split()))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value of JSON."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for below in tree:
            yield from _nodes(below)


def _stranger(node: dict[str, Any]) -> str:
    """What a node of a parsed SELECT reads besides tables; empty: nothing."""
    match node.get("type"):
        case "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "a function"))
            return "" if name.lower() in HARMLESS else f"{name}()"
        case "BASE_TABLE":
            names = [str(node.get(part) or "") for part in ("catalog_name", "schema_name", "table_name")]
            plain = all(NAME.fullmatch(name) for name in names) and names[1].lower() in SCHEMAS
            return "" if plain else ".".join(filter(None, names))
    return ""
