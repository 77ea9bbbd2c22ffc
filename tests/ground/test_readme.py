"""The README is true: its table of plugins is generated, its commands run, its Python runs.

`python tests/ground/test_readme.py` writes the table.
"""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from anidata import registry
from anidata.imaging.decode import decode
from anidata.reports import terminal

README = Path(__file__).resolve().parents[2] / "README.md"
SHELVES = ("sources", "measures", "styles", "pipelines", "models", "metrics")
BLOCK = re.compile(r"(?<=<!-- parts: written by `make readme` -->\n).*?(?=<!-- end of parts -->)", re.DOTALL)


def table():
    rows = [
        f"| {shelf if n == 0 else ''} | `{name}` | {line} |"
        for shelf in SHELVES
        for n, (name, line) in enumerate(_lines(shelf).items())
    ]
    return "\n".join(["| shelf | part | what it is |", "|---|---|---|", *rows]) + "\n"


def _lines(shelf):
    if shelf != "sources":
        return terminal.plugins(shelf)
    return {
        f"{name}` `{registry.load(shelf, name).EXAMPLE}": line
        for name, line in terminal.plugins(shelf).items()
    }


def test_the_table_of_parts_is_the_shelves_own():
    assert BLOCK.search(README.read_text(encoding="utf-8")).group() == table()


@pytest.mark.slow
def test_the_commands_and_the_python_run(tmp_path):
    """Every anidata command of the shell blocks and the loader's lines.

    Over the bundled art instead of the reader's.
    """
    text = README.read_text(encoding="utf-8")
    for name, art in (("sketch.png", "vn_sylvie_01.png"), ("photo.jpg", "comic_02.jpg")):
        (tmp_path / name).write_bytes((Path(registry.PACKAGE) / "art" / art).read_bytes())
    shell = [
        line.split("  #")[0]
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("anidata")
    ]
    assert len(shell) == 17
    for line in shell:
        words = [w for w in shlex.split(line)[1:] if w != "~/scans.cbz"]
        words = ["sample:" if w == "~/Pictures" else w for w in words]
        done = subprocess.run(
            [sys.executable, "-m", "anidata", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
    (tmp_path / "WORK").rename(tmp_path / "demo")
    loader = next(
        block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "webdataset" in block
    )
    subprocess.run([sys.executable, "-c", loader], cwd=tmp_path, check=True, timeout=120)


if __name__ == "__main__":
    README.write_text(BLOCK.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")


def test_the_measure_that_it_shows_is_one():
    text = README.read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def measure(" in b)
    plugin: dict = {}
    exec(compile(block, "white.py", "exec"), plugin)
    page = np.full((20, 30, 3), 255, np.uint8)
    page[:, :15] = 0
    file = io.BytesIO()
    PIL.Image.fromarray(page).save(file, "PNG")
    assert plugin["measure"](decode(file.getvalue(), 1000)) == pytest.approx(0.5)
    assert plugin["TYPE"] == "float"


def test_the_table_of_rooms_has_them_all():
    text = README.read_text(encoding="utf-8")
    table = text[text.index("| room | what lies there |") :].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}
    folders = {path.parent.name for path in registry.PACKAGE.glob("*/__init__.py")}
    files = {path.name for path in registry.PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert named == folders | files
    assert set(registry.STAGES) <= set(re.findall(r"`(\w+)`", table))
