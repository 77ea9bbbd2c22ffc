"""Croissant 1.0, for tools that read descriptions.

It describes the data set's files, the pictures within its tars, and the columns of its metadata.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from anidata.stages.shard import configs
from anidata.stages.shard.markers import FileEntry, Marker, group_of

Node = dict[str, Any]  # of JSON-LD
FORMATS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}  # of a member, by its suffix


def describe(
    name: str, packed: list[Marker], members: list[str], columns: pa.Schema, *, unpaired: bool = False
) -> Node:
    """The description as JSON-LD.

    members: what follows the key in the names of a sample's pictures, such as color.jpg. unpaired: each
    sample has color or lines, in tars of their own.

    A date of publication, which the specification recommends, is left out: no byte of a data set depends on
    the clock.
    """
    files = f"{', '.join(members)} and json."
    about = f"Pairs of lineart and color in WebDataset tars; each sample has {files}"
    if unpaired:
        about = f"Color, and lineart of other pictures, in WebDataset tars of their own; among them {files}"
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": about,
        "license": sorted({text or "not stated" for p in packed for text in p["licenses"]}),
        "version": "1.0.0",
        "distribution": list(_distribution(packed, members)),
        "recordSet": [_samples(columns)],
    }


def _distribution(packed: list[Marker], members: list[str]) -> Iterator[Node]:
    """Yield the tars and tables, then the sets of files that they are or hold."""
    files = {path: entry for p in packed for path, entry in p["files"].items() if not path.endswith(".idx")}
    yield from (_file(path, entry) for path, entry in files.items())
    yield {
        "@type": "cr:FileSet",
        "@id": "metadata",
        "encodingFormat": "application/x-parquet",
        "includes": "metadata/*.parquet",
    }
    for member in members:
        kind, form = member.split(".", 1)[0], FORMATS[member.rsplit(".", 1)[-1]]
        tars = [{"@id": f"data/{p['name']}.tar"} for p in packed if configs.has(_config(p), kind)]
        if not tars:
            continue
        yield {
            "@type": "cr:FileSet",
            "@id": member,
            "containedIn": tars,
            "encodingFormat": form,
            "includes": f"*.{member}",
        }


def _config(marker: Marker) -> str:
    return configs.config_of(group_of(marker["name"]))


def _file(path: str, entry: FileEntry) -> Node:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path.rsplit("/", 1)[-1],
        "encodingFormat": "application/x-tar" if path.endswith(".tar") else "application/x-parquet",
        "sha256": entry["sha256"],
        "contentUrl": path,
        "contentSize": f"{entry['bytes']} B",
    }


def _samples(columns: pa.Schema) -> Node:
    """The only record set.

    There is none for the pictures: mlcroissant keeps unpacked tars by relative path, and would serve one data
    set's for another's.
    """
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "description": "A row for each sample.",
        "key": {"@id": "samples/key"},
        "field": [_field(column) for column in columns],
    }


def _field(column: pa.Field) -> Node:
    is_list = pa.types.is_list(column.type)
    field = {
        "@type": "cr:Field",
        "@id": f"samples/{column.name}",
        "description": column.name,
        "source": {"fileSet": {"@id": "metadata"}, "extract": {"column": column.name}},
        "dataType": _data_type(column.type.value_type if is_list else column.type),
    }
    return field | {"repeated": True} if is_list else field


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
