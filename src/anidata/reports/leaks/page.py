"""Writes the page of an audit: its leaks with their pictures, laid out."""

from pathlib import Path
from typing import TYPE_CHECKING

import anidata
from anidata import ownership, storage
from anidata.engine.engine import Engine
from anidata.errors import WorkspaceError
from anidata.reports.leaks import pictures
from anidata.reports.page import layout
from anidata.reports.page.heat import HOTTEST
from anidata.tar import opening

if TYPE_CHECKING:
    from anidata.audit.audit import Report

FOLDER = Path(__file__).parent
MARK = b'<meta name="generator" content="anidata audit">'
HEAD = 1 << 12  # bytes of a page within which its mark stands


def check(path: Path) -> None:
    """See that the page may be written there: no file is, or an earlier page, and it isn't in a data set.

    Raises: WorkspaceError. StorageError: what is there can't be read.
    """
    storage.refuse_bytes(path, WorkspaceError)
    above = ownership.read_mark(ownership.root_of(path.absolute().parent), ownership.OTHER)
    if above is not None and above.get("kind") == "dataset":
        raise WorkspaceError(
            f"{path} lies in a data set, which holds nothing else. Name another: --page FILE"
        )
    try:
        with opening.opened(path, links=False) as file:
            is_ours = MARK in file.read(HEAD)
    except FileNotFoundError:
        return
    except OSError:
        is_ours = False
    if not is_ours:
        raise WorkspaceError(f"{path} is there, and is no page of an audit. Name another file: --page FILE")


def write(path: Path, report: "Report", engine: Engine) -> str:
    """Write the page. Returns: its path and size, in words. Raises: as `check`; StorageError: no room."""
    check(path)
    opened = pictures.open_all(report.leaks, engine)
    template = layout.environment(FOLDER).get_template("leaks.html")
    shared = {code: n for code, n in report.counts.items() if code in ("leak_exact", "leak_near")}
    with storage.publishing(path) as file:
        for text in template.generate(
            r=report,
            pairs=list(zip(report.leaks, opened, strict=True)),
            shared=sum(shared.values()),
            others={code: n for code, n in report.counts.items() if code not in shared},
            hottest=HOTTEST,
            version=anidata.__version__,
        ):
            file.write(text.encode())
        size = file.tell()
    return f"{path}  {layout.size(size)}, {layout.count(len(report.leaks), 'pair')}"
