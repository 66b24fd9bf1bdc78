"""Swap space, where profile or command line ask for it: `swap=64M replacement=clock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.config import parse_size
from pykern.kernel.core.options import parsed
from pykern.kernel.mm.reclaim import Reclaimer
from pykern.kernel.mm.replacement import REPLACEMENTS
from pykern.kernel.mm.swap import MemoryDisk, SwapSpace

if TYPE_CHECKING:
    from pykern.kernel.task.system import System

SAMPLE_NS = 10_000_000
"""How often accessed bits are read while frames are short."""


def start(system: System, size: int, policy: str) -> None:
    """Let processes lose pages to a disk of `size` bytes; 0: none.

    Raises
    ------
    LookupError : there is no such policy
    """
    replacement = REPLACEMENTS.get(policy)()
    if not size:
        return
    disk = MemoryDisk(size, system.machine.charge)
    reclaimer = Reclaimer(
        system.frames,
        system.machine,
        SwapSpace(disk),
        replacement,
        system.metrics,
        under_pressure=_Sampling(system).soon,
    )
    system.reclaimer = reclaimer
    system.log.subsystem("MM").log(
        f"swap of {reclaimer.swap.total_bytes >> 10} kB, replacement {policy}"
    )


def sizes(options: dict[str, str], size: int, policy: str) -> tuple[int, str]:
    """Return size and policy as the command line wants them, or as they were.

    Raises
    ------
    OptionError : `swap=` is no size
    """
    if "swap" in options:
        size = parsed(options, "swap", lambda text: 0 if text == "0" else parse_size(text), "")
    return size, options.get("replacement", policy)


class _Sampling:
    """Reads accessed bits a while after frames were short, and not for ever."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._due = False

    def soon(self) -> None:
        """Sample in a while, unless that is going to happen anyway."""
        if not self._due:
            self._due = True
            clock = self._system.clock
            clock.at(clock.now_ns + SAMPLE_NS, self._sample)

    def _sample(self) -> None:
        self._due = False
        if self._system.reclaimer is not None:
            self._system.reclaimer.sample()
