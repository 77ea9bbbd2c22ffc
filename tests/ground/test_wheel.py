"""What a user installs: the wheel holds the recipes and the bundled art with its attribution.

It asks for no torch.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from drawings import ART

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_wheel_is_whole(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=CHECKOUT,
        check=True,
        timeout=120,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        about = wheel.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert {f"anidata/art/{p.name}" for p in ART.iterdir() if p.is_file()} <= names
    assert {f"anidata/pipelines/{p.name}" for p in (CHECKOUT / "pipelines").iterdir()} <= names
    assert {f"anidata/reports/page/{name}" for name in ("page.html", "style.css")} <= names
    assert "anidata/catalog/views.sql" in names
    assert {f"anidata/lineart/weights/net.{kind}" for kind in ("onnx", "json")} <= names
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert [line for line in about.splitlines() if line.startswith("Requires-Dist: torch>")] == [
        "Requires-Dist: torch>=2.6; extra == 'train'"
    ]
