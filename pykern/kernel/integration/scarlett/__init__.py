"""Scarlett OS on this kernel: its boot, and its functions by their own names (SCA-01 to SCA-20)."""

from pykern.kernel.integration.scarlett.story import ScarlettStory
from pykern.kernel.integration.scarlett.tcb import Tcb, ThreadState, tcb
from pykern.kernel.integration.scarlett.threads import ScarlettThreads
from pykern.kernel.integration.scarlett.vmm import (
    VMM_NX,
    VMM_PRESENT,
    VMM_USER,
    VMM_WRITE,
    ScarlettVmm,
)

__all__ = [
    "VMM_NX",
    "VMM_PRESENT",
    "VMM_USER",
    "VMM_WRITE",
    "ScarlettStory",
    "ScarlettThreads",
    "ScarlettVmm",
    "Tcb",
    "ThreadState",
    "tcb",
]
