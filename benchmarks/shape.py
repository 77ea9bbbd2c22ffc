"""The shape of the code, by figures: `make shape`, or `python benchmarks/shape.py [FOLDER…]`.

--list names each place that is counted.

room                a folder at the top of src/anidata, a stage's folder, or a file at the top; `__init__` and
                    `__main__` are none. Drawers (folders within a room) belong to their room
arrow               a room that imports another one, when it is imported or later; not for type checkers alone
upward, circle      an arrow against the layers of pyproject.toml's contract; rooms that import each other in
                    a ring, and so files
function            its lines without the docstring, blank lines and comments: from `def` to its last
                    statement, those of functions within it too
long line           more than 110 characters
nested conditional  a conditional expression that stands inside another
vague               a function with a local called found, told or place
test : source       lines of tests over those of src, without docstrings, blank lines and comments
"""

import argparse
import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src/anidata"
LONGEST = 110  # characters
VAGUE = {"found", "told", "place"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Shape:
    """What is counted; places as file:line."""

    lines: int = 0
    code: int = 0  # lines that say something to Python
    functions: list[tuple[int, str]] = field(default_factory=list)  # lines and place
    long_lines: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    vague: list[str] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="The shape of the code, by figures.")
    parser.add_argument("folders", nargs="*", type=Path, help="count in these alone")
    parser.add_argument("--list", action="store_true", help="name each place that is counted")
    asked = parser.parse_args()
    folders = asked.folders or [ROOT / name for name in ("src", "models", "tests", "benchmarks")]
    everything = measure(folders, texts=True)
    code = measure([f for f in folders if f.resolve().is_relative_to(ROOT / "src")] or folders)
    if not asked.folders:
        _show_house()
    _show(everything, code, listed=asked.list)
    if not asked.folders:
        ratio = measure([ROOT / "tests"]).code / measure([ROOT / "src"]).code
        print(f"{'test : source':44}{ratio:8.2f}   at least 1.0")


def measure(folders: list[Path], *, texts: bool = False) -> Shape:
    """texts: look at long lines too."""
    shape = Shape()
    for path in sorted(path for folder in folders for path in _files(folder)):
        text = path.read_text(encoding="utf-8")
        name = str(path.resolve().relative_to(ROOT))
        rows = text.splitlines()
        shape.lines += len(rows)
        shape.files.append((len(rows), name))
        if texts:
            shape.long_lines += [f"{name}:{n}" for n, row in enumerate(rows, 1) if len(row) > LONGEST]
        tree, code = ast.parse(text), _code_lines(text)
        documented = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | Function))
        shape.code += len(code.difference(*map(_docstring, documented)))
        _look(tree, code, name, shape)
    return shape


def _files(folder: Path) -> list[Path]:
    return [folder] if folder.is_file() else list(folder.rglob("*.py"))


def _look(tree: ast.Module, code: set[int], name: str, shape: Shape) -> None:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            body = set(range(node.lineno, (node.end_lineno or node.lineno) + 1)) - _docstring(node)
            shape.functions.append((len(body & code), f"{name}:{node.lineno} {node.name}"))
            if VAGUE & set(_locals(node)):
                shape.vague.append(
                    f"{name}:{node.lineno} {node.name}: {', '.join(sorted(VAGUE & set(_locals(node))))}"
                )
        if isinstance(node, ast.IfExp):
            inner = any(isinstance(below, ast.IfExp) for below in ast.walk(node) if below is not node)
            shape.nested += [f"{name}:{node.lineno}"] * inner


def _code_lines(text: str) -> set[int]:
    """The lines on which there is more than a comment."""
    silent = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines


def _docstring(node: Function) -> set[int]:
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return set()


def _locals(function: Function) -> Iterator[str]:
    """Names that a function binds: its parameters too; those of functions within it are theirs."""
    arguments = function.args
    yield from (a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        waiting += ast.iter_child_nodes(node)


def _show(everything: Shape, code: Shape, *, listed: bool) -> None:
    lengths = sorted(n for n, _ in code.functions)
    p90 = lengths[int(0.9 * len(lengths))] if lengths else 0
    rows: list[tuple[str, float, str, list[str]]] = [
        ("files over 300 lines", 0, "none", [f"{name} {n}" for n, name in code.files if n > 300]),
        ("functions: 90th percentile of lines", p90, "at most 15", []),
        ("functions: the longest", lengths[-1] if lengths else 0, "at most 60", []),
        (
            "functions over 30 lines",
            0,
            "",
            [f"{place} {n}" for n, place in sorted(code.functions, reverse=True) if n > 30],
        ),
        ("lines over 110 characters", 0, "none", everything.long_lines),
        ("nested conditionals per 1,000 lines", 0, "at most .1", code.nested),
        ("functions with found, told or place", 0, "under 20", code.vague),
    ]
    for title, value, goal, places in rows:
        figure = value or (1000 * len(places) / max(1, code.lines) if "per 1,000" in title else len(places))
        print(
            f"{title:44}{figure:8.2f}   {goal}"
            if "per 1,000" in title
            else f"{title:44}{figure:8.0f}   {goal}"
        )
        if listed:
            print("".join(f"    {place}\n" for place in places), end="")


def _show_house() -> None:
    graph = arrows(_rooms)
    files = arrows(lambda module: module)
    rooms = sorted({_rooms(m) for m in _modules()} - {""})
    layers = _layers()
    up = [
        f"{a} → {b}"
        for a, below in sorted(graph.items())
        for b in sorted(below)
        if not _is_down(layers, a, b)
    ]
    top = [p for p in PACKAGE.iterdir() if p.name != "__pycache__"]
    print(f"{'folders at the top of src/anidata':44}{sum(p.is_dir() for p in top):8}   at most 16")
    print(f"{'files at the top':44}{sum(p.is_file() for p in top):8}   at most 9")
    print(f"{'rooms':44}{len(rooms):8}   at most 26")
    print(f"{'arrows between rooms':44}{sum(map(len, graph.values())):8}")
    print(f"{'upward imports':44}{len(up):8}   none  {'; '.join(up)}")
    rings = [" ⇄ ".join(ring) for g in (graph, files) for ring in circles(g)]
    print(f"{'circles among rooms and files':44}{len(rings):8}   none  {'; '.join(rings)}")


def _modules() -> dict[str, Path]:
    """Module below anidata → its file; a folder is its `__init__`."""
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if name not in ("", "__main__"):
            modules[name] = path
    return modules


def _rooms(module: str) -> str:
    """The room of a module; '' of the stages' own `__init__`, which holds nothing."""
    words = module.split(".")
    if words[0] == "stages":
        return ".".join(words[:2]) if len(words) > 1 else ""
    return words[0]


def arrows(group: "type | object") -> dict[str, set[str]]:
    """Group of modules → the groups that it imports."""
    modules = _modules()
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        for target in _imports(ast.parse(path.read_text(encoding="utf-8")), modules):
            a, b = group(name), group(target)  # type: ignore[operator]
            if a and b and a != b and not name.startswith(f"{target}."):
                graph.setdefault(a, set()).add(b)
    return graph


def _imports(tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    """Modules of anidata that are imported, but for those that only type checkers see."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("anidata.") for a in node.names if a.name.startswith("anidata."))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "anidata":
            base = re.sub(r"^anidata\.?", "", node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield from [full] if full in modules else [base] if base in modules else []


def _layers() -> dict[str, int]:
    """Top package → its floor, the highest 0."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    floors = next(c["layers"] for c in contracts if c["name"] == "Imports go down only")
    return {
        name.strip().removeprefix("anidata."): n for n, row in enumerate(floors) for name in row.split("|")
    }


def _is_down(layers: dict[str, int], a: str, b: str) -> bool:
    above, below = a.split(".", maxsplit=1)[0], b.split(".", maxsplit=1)[0]
    return above == below or layers.get(above, -1) < layers.get(below, -1)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups that reach themselves by way of each other."""
    reach = {a: _reached(graph, a) for a in graph}
    rings = {tuple(sorted(b for b in reach[a] if a in reach.get(b, ()))) for a in graph if a in reach[a]}
    return [list(ring) for ring in sorted(rings)]


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


if __name__ == "__main__":
    sys.exit(main())
