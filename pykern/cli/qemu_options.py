"""QEMU's options that have no counterpart here: each says so, and what to do instead."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Option -> (number of its arguments, what is said).
ABSENT: dict[str, tuple[int, str]] = {
    "-enable-kvm": (0, "everything is interpreted, the same way on any host; leave it out"),
    "-accel": (1, "everything is interpreted, the same way on any host; leave it out"),
    "-machine": (1, "there is one board, a PC; leave it out"),
    "-M": (1, "there is one board, a PC; leave it out"),
    "-drive": (1, "use --disk FILE; --firmware bios FILE starts a disk image"),
    "-fda": (1, "there is no floppy controller; --firmware bios FILE starts a disk image"),
    "-device": (1, "the devices of the board cannot be chosen"),
    "-netdev": (1, "there is no network"),
    "-nic": (1, "there is no network"),
    "-monitor": (1, "there is no monitor"),
    "-vga": (1, "use --framebuffer WIDTHxHEIGHT"),
    "-snapshot": (0, "images are never written; leave it out"),
}


class _Absent(argparse.Action):
    """Refuse an option with its explanation."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        _values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        option = option_string or ""
        parser.error(f"{option}: {ABSENT[option][1]}")


def add(parser: argparse.ArgumentParser) -> None:
    """Let a parser take QEMU's options that mean nothing here, and explain the others."""
    parser.add_argument("-display", choices=("none",), help=argparse.SUPPRESS)
    for option, (count, _) in ABSENT.items():
        parser.add_argument(option, action=_Absent, nargs=count or 0, help=argparse.SUPPRESS)
