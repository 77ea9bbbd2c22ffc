"""The shared pictures, where they are on this machine: beside the checkout, or where ANIDATA_SHARED says."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("ANIDATA_SHARED") or Path(__file__).resolve().parents[3] / "shared")
needs_shared = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="the shared pictures are not on this machine"
)
