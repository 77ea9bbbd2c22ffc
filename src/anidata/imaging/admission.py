"""Whether files outside a workspace are read on its word.

Its tables name the files of its sources by whole paths, and its recipe names sources: in a workspace that
this user has made that is the user's own word. One that comes from elsewhere could have any picture, list or
note of this machine put into a data set, so the user is asked, once: the answer lies in the user's own state.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from anidata import registry, storage
from anidata.errors import RecipeError, StorageError, Untrusted
from anidata.tar import opening
from anidata.workspace import Workspace

KIND = "workspaces"  # by that name trusted ones are remembered
URIS = ("at_uri", "line_uri")  # the columns of references
TABLES = ("plan/*.parquet", "records/*.parquet", "fetched/*.parquet", "gathered/*.parquet")
BUNDLED = storage.uri_of(registry.PACKAGE) + "/"  # anidata's own files, such as the art of `sample:`

_admitted: set[str] = set()  # in this process, also where there is no home to remember it in


def admit(workspace: Workspace) -> None:
    """See that files outside the workspace may be read on its word; ask the user where that isn't known.

    Raises: Untrusted: it comes from elsewhere, names files outside, and the user hasn't said yes.
    """
    if workspace.is_own() or _has_answer(workspace):
        return
    outside = next(_outside(workspace), None)
    if outside is None:
        return
    if not registry.ask(f"{_described(workspace, outside)} Shall they be read?"):
        raise Untrusted(
            f"{_described(workspace, outside)} If it is yours, or you have looked into it, "
            "give --trust before the command, once: anidata --trust COMMAND …"
        )
    _admitted.add(workspace.look())
    with suppress(StorageError):  # then it is asked again next time
        registry.trust(KIND, workspace.look())


def is_admitted(workspace: Workspace) -> bool:
    """Whether files outside may be read, as far as is known without asking."""
    return workspace.is_own() or _has_answer(workspace) or next(_outside(workspace), None) is None


def _has_answer(workspace: Workspace) -> bool:
    word = workspace.look()
    return word in _admitted or registry.is_trusted(KIND, word)


def _described(workspace: Workspace, outside: str) -> str:
    shown = storage.readable(storage.decode(outside.removeprefix(storage.FILE)))
    return (
        f"{workspace.path} was made by somebody else, on another machine, or by an earlier version, and "
        f"names files outside it, such as {shown}: what they hold goes into its data set."
    )


def _outside(workspace: Workspace) -> Iterator[str]:
    """Yield what a workspace names of this machine's files, but for those in itself and anidata's own."""
    inside = (storage.uri_of(workspace.path) + "/", BUNDLED)
    for pattern in TABLES:
        for path in sorted(workspace.path.glob(pattern)):
            yield from (uri for uri in _uris(path) if not _is_within(uri, inside))
    try:
        document = workspace.last_recipe()
    except RecipeError:
        yield storage.uri_of(workspace.recipe_file)
        return
    yield from filter(_is_local, _texts(document.get("sources", ())))


def _is_within(uri: str, folders: tuple[str, ...]) -> bool:
    return uri.startswith(folders) and "/../" not in storage.decode(uri)


def _uris(path: Path) -> Iterator[str]:
    """Yield the URIs of files in a table; of one that can't be read its own."""
    import pyarrow as pa  # noqa: PLC0415  for foreign workspaces alone
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        opening.check(path)
        with pq.ParquetFile(path) as file:
            columns = [name for name in URIS if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=columns):
                for column in batch.columns:
                    chosen = column.filter(pc.starts_with(column, storage.FILE))
                    yield from pc.unique(chosen).to_pylist()
    except (OSError, ValueError, pa.ArrowException):
        yield storage.uri_of(path.parent)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_local(source: str) -> bool:
    """Whether a source is a path, or KIND:PATH."""
    return "://" not in source.removeprefix("file://") and not source.startswith("sample:")
