"""Why a run ended: data for the loop that called it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import IntEnum

EXCEPTIONS = {
    0: "#DE",
    1: "#DB",
    2: "NMI",
    3: "#BP",
    4: "#OF",
    5: "#BR",
    6: "#UD",
    7: "#NM",
    8: "#DF",
    10: "#TS",
    11: "#NP",
    12: "#SS",
    13: "#GP",
    14: "#PF",
    16: "#MF",
    17: "#AC",
    18: "#MC",
    19: "#XM",
}


class ExitReason(IntEnum):
    """Numbers of `Exit` in pykern_c/cpu.pxd."""

    BUDGET = 1
    HLT = 2
    HOSTCALL = 3
    DEBUG = 4
    SHUTDOWN = 5
    STOPPED = 6
    HOOK = 8


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault of the chain that led to shutdown.

    Attributes
    ----------
    vector : exception vector
    error : error code, None if the exception has none
    rip : (E)IP of the instruction at fault
    address : CR2 of a page fault
    """

    vector: int
    error: int | None
    rip: int
    address: int

    def __str__(self) -> str:
        """Return the fault as the SDM writes it, with what there is to say."""
        name = EXCEPTIONS.get(self.vector, f"vector {self.vector}")
        code = "" if self.error is None else f"({self.error:#x})"
        where = f" accessing {self.address:#x}" if self.vector == 14 else ""
        return f"{name}{code} at rip {self.rip:#x}{where}"


@dataclass(frozen=True, slots=True)
class Exit:
    """What ended a run.

    Attributes
    ----------
    reason : why
    vcpu : index of the processor concerned
    code : hostcall number, or the code handed to `Machine.stop`
    what : the word handed to `Machine.stop`
    faults : SHUTDOWN: the chain of faults, first one first
    """

    reason: ExitReason
    vcpu: int = 0
    code: int = 0
    what: str = ""
    faults: tuple[FaultRecord, ...] = field(default=())


@functools.lru_cache(maxsize=4096)
def hostcall_exit(vcpu: int, code: int) -> Exit:
    """Return the exit of a hostcall; a hosted kernel makes the same ones again and again."""
    return Exit(ExitReason.HOSTCALL, vcpu, code)
