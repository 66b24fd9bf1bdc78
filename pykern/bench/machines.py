"""The machines that run a guest ROM: what each of them has in common with the others."""

from __future__ import annotations

import dataclasses
import re
from typing import Protocol

RAM_MIB = 64
CONSOLE_PORT = 0xE9
DEBUG_EXIT_PORT = 0xF4

_CHECKSUM = re.compile(rb"^[0-9a-f]{16}$", re.MULTILINE)


class RunError(Exception):
    """A machine did not run a guest program to its end."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes
    ----------
    checksum : str
        What the program printed: 16 hexadecimal digits.
    seconds : float
        Host CPU time, user and system.
    instructions : int or None
        Guest instructions executed, by a machine that counts them.
    """

    checksum: str
    seconds: float
    instructions: int | None = None


class Runner(Protocol):
    """A machine that can run a ROM."""

    name: str
    version: str

    def run(self, rom: bytes) -> Outcome:
        """Boot the ROM, wait until the guest powers off and return what it cost."""
        ...


def checksum(name: str, console: bytes) -> str:
    """Find the checksum in what a guest program wrote to port 0xE9.

    Raises
    ------
    RunError
        There is none: the program reported an unexpected interrupt, or did not get so far.
    """
    found = _CHECKSUM.search(console.replace(b"\r", b""))
    if not found:
        raise RunError(f"{name}: expected a checksum on port 0xE9, found {console[-400:]!r}")
    return found[0].decode()
