"""pykern's own machine as one of those that run a guest ROM."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pykern_c
from pykern.bench.machines import (
    CONSOLE_PORT,
    DEBUG_EXIT_PORT,
    RAM_MIB,
    Outcome,
    RunError,
    checksum,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class _Port:
    """A port whose writes go to a function."""

    def __init__(self, written: Callable[[int], None]) -> None:
        self._written = written

    def reset(self) -> None:
        """Nothing to reset."""

    def read(self, offset: int, size: int) -> int:
        """Read all ones: nothing answers."""
        return (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Hand the lowest byte on."""
        self._written(value & 0xFF)

    def save(self) -> dict[str, int]:
        """No state."""
        return {}

    def load(self, state: dict[str, int]) -> None:
        """No state."""


class Pykern:
    """A fresh machine for each run, with nothing but RAM, the ROM and two ports."""

    def __init__(self) -> None:
        self.name = "pykern"
        self.version = "pykern"

    def run(self, rom: bytes) -> Outcome:
        """Start at the reset vector and run until the guest powers off or halts."""
        console = bytearray()
        before = time.process_time()
        machine = pykern_c.Machine(RAM_MIB << 20)
        machine.map_rom((1 << 32) - len(rom), rom)
        machine.map_ports(CONSOLE_PORT, 1, _Port(console.append))
        machine.map_ports(DEBUG_EXIT_PORT, 1, _Port(lambda code: machine.stop("exit", code)))
        machine.reset()
        end = machine.run()
        seconds = time.process_time() - before
        if end.reason != pykern_c.ExitReason.STOPPED or end.code != 0:
            raise RunError(f"pykern: ended with {end!r}, console {bytes(console[-400:])!r}")
        return Outcome(checksum(self.name, bytes(console)), seconds, machine.retired)
