"""Running a command line in a fresh folder, with the programs of one directory."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.userland.cases import FILES

if TYPE_CHECKING:
    from collections.abc import Sequence


class Result(NamedTuple):
    """What can be compared: messages on standard error are each program's own."""

    stdout: bytes
    status: int


def write_files(directory: Path) -> None:
    """Put the files of the cases into a folder."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))


def run(argv: Sequence[str], path: str, stdin: bytes = b"", *, files: bool = True) -> Result:
    """Run a program in a folder of its own, with `path` as PATH."""
    with tempfile.TemporaryDirectory() as folder:
        if files:
            write_files(Path(folder))
        environment = {"PATH": path, "HOME": "/root", "LC_ALL": "C"}
        done = subprocess.run(
            argv, input=stdin, capture_output=True, cwd=folder, env=environment, check=False,
            timeout=60,
        )  # fmt: skip
    return Result(done.stdout, done.returncode)
