"""Recipes: TOML ⇄ frozen configs. An unknown key fails with the nearest name; a value of the wrong type or range with its place.

A document is what TOML parses to; it is built into a config once.
"""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
import tomli_w

from anidata.errors import RecipeError
from anidata.parts import nearest

T = TypeVar("T")
Document = dict[str, Any]

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


def parse(text: str, where: str) -> Document:
    """A document from TOML.

    Raises: RecipeError: no TOML; `where` and the line are named.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from error


def read(path: Path) -> Document:
    """The document in a file."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: can't be read as text ({error}).") from error


def assigned(document: Mapping[str, Any], text: str) -> Document:
    """The document with `--set stage.key=value` done; a value that is no TOML is taken as text.

    Raises: RecipeError: no stage, key or equals sign.
    """
    path, equals, value = text.partition("=")
    names = path.strip().split(".")
    if not equals or len(names) < 2 or not all(names):  # a stage and a key
        raise RecipeError(f"--set {text}: write it as stage.key=value, for example --set clean.min_side=128")
    try:
        content: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        content = value.strip()
    return _put(document, names, content)


def build(kind: type[T], document: Mapping[str, Any], where: str) -> T:
    """The config that a document describes; what it leaves out keeps its default.

    Raises: RecipeError: an unknown key, a value of the wrong type, or out of range.
    """
    _check_names(kind, document, where, [])
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise RecipeError(f"{where}, {_place(path.strip('`').removeprefix('$').strip('.').split('.'))}: {message}.") from error


def dump(config: Any) -> str:
    """The TOML of a config, all values visible."""
    return tomli_w.dumps(document_of(config), multiline_strings=False)


def document_of(config: Any) -> Document:
    """The document of a config; what is None is left out, as TOML has no word for it."""
    document: Document = msgspec.to_builtins(config)
    return _without_none(document)


def fingerprint(*things: Any) -> str:
    """16 hex digits that change when any of the things (configs, numbers, texts, lists of them) does."""
    text = json.dumps([msgspec.to_builtins(t) for t in things], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_names(kind: Any, document: Mapping[str, Any], where: str, path: Sequence[str]) -> None:
    fields = {f.name for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for name, value in document.items():
        if name not in fields:
            raise RecipeError(f"{where}, {_place([*path, name])}: no such setting.{nearest(name, fields)}")
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            _check_names(hints[name], value, where, [*path, name])


def _put(document: Mapping[str, Any], names: Sequence[str], value: Any) -> Document:
    first, *rest = names
    below = document.get(first)
    return {**document, first: _put(below if isinstance(below, Mapping) else {}, rest, value) if rest else value}


def _place(path: Sequence[str]) -> str:
    """['clean', 'min_side'] → [clean] min_side."""
    *tables, name = path
    return f"[{'.'.join(tables)}] {name}" if tables else name


def _without_none(document: Document) -> Document:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in document.items() if v is not None}
