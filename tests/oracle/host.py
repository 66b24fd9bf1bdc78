"""The host CPU as an oracle: its availability, features and batch face."""

from __future__ import annotations

import functools
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import build
from .state import DATA_BASE, DATA_SIZE, LAYOUT, READ_ONLY, Flag, Instructions, States, batch

if TYPE_CHECKING:
    from types import ModuleType

# SDM feature name → name in /proc/cpuinfo, where they are not the same in lower case.
_CPUINFO_NAMES = {
    "SSE3": "pni",
    "SSE4.1": "sse4_1",
    "SSE4.2": "sse4_2",
    "LZCNT": "abm",
    "CMPXCHG16B": "cx16",
    "CMPXCHG8B": "cx8",
    "LAHF": "lahf_lm",
    "FXSR": "fxsr",
    "SHA": "sha_ni",
    "RDSEED": "rdseed",
    "CLFSH": "clflush",
}
_SETTABLE = 0x202 | 0xCD5 | int(Flag.AC) | (1 << 21)


def unavailable() -> str:
    """Return why the host CPU cannot be an oracle here, or an empty string."""
    if platform.machine() not in {"x86_64", "AMD64"} or sys.maxsize < 1 << 32:
        return f"the host is {platform.machine()}, not 64-bit x86-64"
    if sys.platform != "linux":
        return f"the host runs {sys.platform}, not Linux"
    try:
        _module()
    except OSError as error:
        return f"the oracle's memory cannot be mapped: {error}"
    return ""


@functools.cache
def _module() -> ModuleType:
    module = build.load()
    module.map_memory(
        LAYOUT.code_base, LAYOUT.code_size, DATA_BASE, READ_ONLY - DATA_BASE, DATA_SIZE
    )
    return module


@functools.cache
def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def vendor() -> str:
    """Return the CPUID vendor string, as ``AuthenticAMD``."""
    return _cpuinfo().get("vendor_id", "")


def family() -> int:
    """Return the CPU family as CPUID gives it, extended family included: 26 for AMD's Zen 5."""
    return int(_cpuinfo().get("cpu family", "0"))


def has_feature(name: str) -> bool:
    """Tell whether the host has a CPUID feature, by the name the instruction rows use."""
    return _CPUINFO_NAMES.get(name, name.lower()) in _cpuinfo().get("flags", "").split()


class HostCpu:
    """Executes single instructions on the host at CPL 3 in 64-bit mode.

    What it refuses (`Outcome.REFUSED`) is listed in host_policy.pxd. A REP instruction runs to its
    end; one that may branch is single-stepped, so its destination need not be mapped.
    """

    def __init__(self) -> None:
        reason = unavailable()
        if reason:
            raise RuntimeError(reason)

    def run(
        self, code: bytes | list[bytes] | Instructions, start: States, *, step: bool = False
    ) -> States:
        """Execute one instruction per state and return the states behind it.

        Parameters
        ----------
        code
            One instruction for all states, or one per state.
        start
            Array of `STATE`; it is not changed.
        step
            Single-step all of them. Needed where the lengths of `code` are not known to be those
            of the instructions (random bytes); slower, and REP then does one iteration.
        """
        packed = batch(code, start)
        if (start["mxcsr"] > 0xFFFF).any():
            raise ValueError("mxcsr has reserved bits set; loading it would fault")
        if (start["rflags"] & ~np.uint64(_SETTABLE)).any():
            raise ValueError("rflags has bits other than OSZAPC, DF, AC, ID, IF and bit 1")
        result = np.ascontiguousarray(start).copy()
        _module().run(packed.view(np.uint8), result.view(np.uint8), step)
        return result

    def policy(self, code: bytes) -> str:
        """Return ``refuse``, ``run``, ``branch`` or ``step`` for one instruction."""
        answer: str = _module().policy(code)
        return answer
