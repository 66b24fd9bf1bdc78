"""What `pykern boot` cannot do as it was asked, told before anything has run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.cli import debugger
from pykern.cli.boot_image import BUILT_IN_FIRMWARE
from pykern.cli.errors import UsageError
from pykern.machine.board import DRIVES_MOST

if TYPE_CHECKING:
    import argparse

__all__ = ["check"]


def check(args: argparse.Namespace) -> None:
    """Refuse options that have no meaning without others, and files that cannot be written.

    Raises
    ------
    UsageError : says which, and what it needs
    """
    if args.write_back and not args.disk and str(args.firmware) != BUILT_IN_FIRMWARE:
        raise UsageError("--write-back needs --disk or --firmware bios: nothing else is written to")
    _check_disks(args)
    if args.gdb_observer is not None and not debugger.wanted(args):
        raise UsageError("--gdb-observer needs --gdb or --gdb-os: it looks at what that one does")
    for option, path in (("--screenshot", args.screenshot), ("--metrics", args.metrics)):
        if path is not None:
            _require_writable(option, path)
    for one in args.checkpoint:
        _require_writable("--checkpoint", Path(one.where))
        if Path(one.where).exists():
            raise UsageError(f"--checkpoint {one.where}: it is there, and is never overwritten")


def _check_disks(args: argparse.Namespace) -> None:
    if len(args.disk) > DRIVES_MOST:
        raise UsageError(f"--disk: {len(args.disk)} disks, expected at most {DRIVES_MOST}")
    for number, path in enumerate(args.disk):
        if any(
            path.exists() and other.exists() and path.samefile(other)
            for other in args.disk[:number]
        ):
            raise UsageError(f"--disk {path}: that file is another disk already")
        if args.write_back and path.exists():
            _require_writable("--disk", path)


def _require_writable(option: str, path: Path) -> None:
    """See that a file, which is written at the end of a run, will be."""
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise UsageError(f"{option} {path}: that is a folder, expected a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{option} {path}: it may not be written")
