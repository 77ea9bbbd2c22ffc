"""Other tools, each in a virtual environment of its own under .benchmarks/, and the commands to run them."""

import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".benchmarks"
INSTALLS = {  # what pip is told, in order
    "cleanvision": [["cleanvision"]],
    # Its CNN method wants torchvision, which would pull a CUDA build of several GB; the hashes don't.
    "imagededup": [
        ["torch==2.13.0"],
        ["--no-deps", "imagededup"],
        ["matplotlib", "scikit-learn", "pywavelets", "tqdm", "pillow", "numpy", "scipy"],
    ],
    "perception": [["perception[approximate-deduplication]==0.9.3", "pandas"]],  # SIFT's points and faiss
    "pdqhash": [["pdqhash", "pillow", "numpy"]],
    "img2dataset": [["img2dataset==1.47.0"]],
    "faiss": [["faiss-cpu", "numpy"]],
}


def python(name: str) -> str:
    """The interpreter of a tool's environment, made when first needed."""
    home = CACHE / name
    ready = home / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        for words in INSTALLS[name]:
            subprocess.run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", *words], check=True)
        ready.touch()
    return str(home / "bin/python")


def commands(scripts: Path, pile: Path, folder: Path) -> dict[str, list[str]]:
    """Name → command: what a user would run one after the other in place of anidata.

    scripts: the folder with the scorers. pile: the folder of pictures. folder: where results go.
    """
    cleanvision, imagededup, hand_script = (
        str(scripts / f"{name}.py") for name in ("peer_cleanvision", "peer_imagededup", "hand_script")
    )
    return {
        "CleanVision": [python("cleanvision"), cleanvision, str(pile), str(folder / "cleanvision.csv")],
        "imagededup": [python("imagededup"), imagededup, str(pile)],
        "hand script": [sys.executable, hand_script, str(pile), str(folder / "by-hand")],
    }
