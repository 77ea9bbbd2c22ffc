"""Recipes: TOML ⇄ frozen configs.

An unknown key fails with the nearest name; a value of the wrong type or range with its file, table and name.

A document is what TOML parses to; it is built into a config once.
"""

import dataclasses
import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import tomli_w

from anidata.errors import RecipeError
from anidata.registry import nearest
from anidata.tar import opening

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Document = dict[str, Any]
Leaves = dict[tuple[str, ...], Any]  # path → value: ("clean", "min_side") → 256

MOST = 2**63 - 1  # what TOML promises to keep
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

# msgspec's name of a type → its name in a message
WORDS = {
    "object": "a table",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
# Numbers as people type them; TOML asks for digits on both sides of the point.
BARE = re.compile(r"[+-]?(\d+\.|\.\d+)")
ENUM = "Invalid enum value "  # so begins msgspec's complaint about a word that isn't one of the choices


def parse(text: str, where: str) -> Document:
    """A document from TOML.

    Raises: RecipeError: no TOML; `where` and the line are named.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from error
    except RecursionError as error:
        raise RecipeError(f"{where}: nested too deep for a recipe.") from error


def read(path: Path) -> Document:
    """The document in a file."""
    try:
        return parse(opening.read_text(path), str(path))
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
    return _put(document, names, _value(value.strip()))


def build(kind: type[T], document: Mapping[str, Any], where: str) -> T:
    """The config that a document describes; what it leaves out keeps its default, choices are of any case.

    Raises: RecipeError: an unknown key, a value of the wrong type, or out of range.
    """
    _check_names(kind, document, where, [])
    for path in _endless(document, []):
        raise RecipeError(f"{_at(where, path)}: Expected a finite number.")
    try:
        return _whole(msgspec.convert(_cased(kind, document), kind))
    except msgspec.ValidationError as error:
        raise RecipeError(_complaint(kind, str(error), where)) from error
    except RecipeError as error:  # a config's own check
        raise RecipeError(f"{where}, {error}") from error


def dump(config: Any) -> str:
    """The TOML of a config, all values visible."""
    return tomli_w.dumps(document_of(config), multiline_strings=False)


def document_of(config: Any) -> Document:
    """The document of a config; what is None is left out, as TOML has no word for it."""
    document: Document = msgspec.to_builtins(config)
    return _without_none(document)


def leaves(kind: Any, document: Document) -> Leaves:
    """The settings of a document by their paths.

    A table whose names people choose is one setting where it holds plain values, such as shard.splits.
    """
    hints = get_type_hints(kind)
    pairs = (_leaves(hints.get(name), value, (name,)) for name, value in document.items())
    return dict(chain.from_iterable(pairs))


def _leaves(hint: Any, value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints: Mapping[str, Any] = get_type_hints(hint)
    elif _holds_tables(hint) and isinstance(value, Mapping):
        hints = dict.fromkeys(value, get_args(hint)[1])
    else:
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(hints.get(name), inner, (*path, name))


def _holds_tables(hint: Any) -> bool:
    """Whether a type is a table of tables, or one of anything."""
    return get_origin(hint) is dict and (get_args(hint)[1] is Any or get_origin(get_args(hint)[1]) is dict)


def planted(settings: Leaves) -> Document:
    """The document of settings by their paths."""
    empty: Document = {}
    return reduce(lambda document, path: _put(document, path, settings[path]), settings, empty)


def shown(value: Any) -> str:
    """A value as a sentence has it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, str) and value:
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def fingerprint(*things: Any) -> str:
    """16 hex digits that change when any of the things (configs, numbers, texts, lists of them) does."""
    text = json.dumps([msgspec.to_builtins(t) for t in things], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_names(kind: Any, document: Mapping[str, Any], where: str, path: Sequence[str]) -> None:
    fields = {f.name for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for name, value in document.items():
        if name not in fields:
            complaint = _no_such_name(where, [*path, name], is_table=isinstance(value, Mapping))
            raise RecipeError(f"{complaint}.{nearest(name, fields)}")
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            _check_names(hints[name], value, where, [*path, name])


def _no_such_name(where: str, path: Sequence[str], *, is_table: bool) -> str:
    return (
        f"{where}, [{'.'.join(path)}]: no such table" if is_table else f"{_at(where, path)}: no such setting"
    )


def _whole(config: T) -> T:
    """The same config with every default written down in it.

    msgspec leaves those to the class, and so out of a document and a fingerprint.
    """
    values = {name: getattr(config, name) for name in config.__dataclass_fields__}
    whole = {name: _whole(v) if hasattr(v, "__dataclass_fields__") else v for name, v in values.items()}
    return dataclasses.replace(config, **whole)


def _put(document: Mapping[str, Any], names: Sequence[str], value: Any) -> Document:
    first, *deeper = names
    if not deeper:
        return {**document, first: value}
    below = document.get(first)
    return {**document, first: _put(below if isinstance(below, Mapping) else {}, deeper, value)}


def _value(text: str) -> Any:
    if BARE.fullmatch(text):
        return float(text)
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if len(document) == 1 else text  # several lines that happen to be TOML


def _endless(value: Any, path: list[str]) -> Iterator[list[str]]:
    """Yield the paths of nan and inf."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    for name, inner in _inside(value):
        yield from _endless(inner, [*path, str(name)])


def _inside(value: Any) -> Iterable[tuple[Any, Any]]:
    """(name or index, value) of what a table or list holds."""
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _cased(kind: Any, document: Mapping[str, Any]) -> Document:
    """The document with each word that is one of a setting's choices written as that is: AdamW as adamw."""
    hints = get_type_hints(kind)
    return {name: _as_chosen(hints[name], value) for name, value in document.items()}


def _as_chosen(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _cased(hint, value)
    if get_origin(hint) is Literal and isinstance(value, str):
        return next((word for word in get_args(hint) if str(word).lower() == value.lower()), value)
    return value


def _complaint(kind: Any, complaint: str, where: str) -> str:
    """Translate msgspec's words into a recipe's: 'Expected `array`, got `str` - at `$.lineart.styles`'."""
    message, _, msgspec_path = complaint.rpartition(" - at `$")
    path = msgspec_path.replace("[...]", "").strip("`.").split(".")
    if message.startswith(ENUM):
        wrong, choices = message.removeprefix(ENUM).strip("'"), _choices(kind, path)
        message = f"'{wrong}' is none of {', '.join(choices)}.{nearest(wrong, choices)}".removesuffix(".")
    message = re.sub(r"`(\w+)`", lambda match: WORDS.get(match[1], match[0]), message)
    return f"{_at(where, path)}: {message}" + ("" if message.endswith("?") else ".")


def _choices(kind: Any, path: Sequence[str]) -> tuple[str, ...]:
    """The words that the Literal at a path allows."""
    return get_args(reduce(lambda above, name: get_type_hints(above)[name], path, kind))


def _at(where: str, path: Sequence[str]) -> str:
    """('mine.toml', ['clean', 'min_side']) → mine.toml, [clean] min_side; `where` may be a table itself."""
    *tables, name = path
    if tables:
        return f"{where}, [{'.'.join(tables)}] {name}"
    return f"{where} {name}" if where.endswith("]") else f"{where}, {name}"


def _without_none(document: Document) -> Document:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in document.items() if v is not None}
