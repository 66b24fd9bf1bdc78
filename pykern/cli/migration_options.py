"""Options of `pykern boot` by which processes come and go: their grammar."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gdbstub
from pykern import config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_REMOTE = ",remote"


@dataclass(frozen=True)
class Departure:
    """What is to leave, and when.

    Attributes
    ----------
    who : number or name of a process
    at_ns : virtual time
    where : address or file
    """

    who: str
    at_ns: int
    where: str


def parse_place(text: str) -> gdbstub.Address:
    """Return the meaning of `tcp:HOST:PORT`, `tcp:PORT` or `unix:PATH`.

    Whoever connects can have any program run in the guest, and a link that is cut is taken for the
    death of the machine behind it: hence loopback, unless `,remote` stands behind the address.

    Raises
    ------
    ValueError : it is none of them, or not of this host
    """
    plain = text.removesuffix(_REMOTE)
    address = gdbstub.parse_address(re.sub(r"^tcp:(\d+)$", r"tcp::\1", plain))
    if not address.path and text == plain and not ipaddress.ip_address(address.host).is_loopback:
        raise ValueError(
            f"address {text!r} is not of this host alone; {plain}{_REMOTE} if that is meant"
        )
    return address


def parse_departure(text: str) -> Departure:
    """Return the meaning of `WHO@SECONDS:WHERE`.

    Raises
    ------
    ValueError : it is something else
    """
    match = re.fullmatch(r"([^@]+)@([^:]+):(.+)", text)
    if match is None:
        raise ValueError(f"{text!r}, expected PID@SECONDS:WHERE or NAME@SECONDS:WHERE")
    return Departure(match[1], config.parse_seconds(match[2]), match[3])


def _parse_migration(text: str) -> Departure:
    departure = parse_departure(text)
    parse_place(departure.where)
    return departure


def wanted(args: argparse.Namespace) -> bool:
    """Tell whether something may come or go, which no machine can take back or do again."""
    return any((args.incoming, args.migrate_to, args.migrate, args.checkpoint, args.restore))


def add(
    parser: argparse.ArgumentParser,
    checked: Callable[[Callable[[str], object]], Callable[[str], object]],
) -> None:
    """Let a parser take the options."""
    group = parser.add_argument_group("processes that move (pykern's kernel)")
    group.add_argument(
        "--incoming",
        "-incoming",
        type=checked(parse_place),
        metavar="ADDRESS",
        help="take in processes that other machines send: tcp:PORT (this host only; 0: a free one) "
        "or unix:PATH",
    )
    group.add_argument(
        "--migrate",
        type=checked(_parse_migration),
        action="append",
        default=[],
        metavar="WHO@SECONDS:ADDRESS",
        help="send a process, by number or name, there at a virtual time; may be repeated",
    )
    group.add_argument(
        "--migrate-to",
        type=checked(parse_place),
        metavar="ADDRESS",
        help="where the guest may send its processes: echo PID >/proc/migration",
    )
    group.add_argument(
        "--post-copy",
        action="store_true",
        help="--migrate moves a process before its memory, which follows page by page",
    )
    group.add_argument(
        "--checkpoint",
        type=checked(parse_departure),
        action="append",
        default=[],
        metavar="WHO@SECONDS:FILE",
        help="write a process to a new FILE at a virtual time, and end it; may be repeated",
    )
    group.add_argument(
        "--leave-running",
        action="store_true",
        help="do not end what --checkpoint has written",
    )
    group.add_argument(
        "--restore",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="let the process in FILE go on, once there is a first program; may be repeated",
    )
