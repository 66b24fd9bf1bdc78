"""The composition root: everything of the kernel is created and joined here, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.bringup import BringUp
from pykern.kernel.core.log import Log
from pykern.kernel.traps import Traps
from pykern.kernel.x86 import attach, layout, lapic, vectors
from pykern.kernel.x86.clock import KernelClock
from pykern.kernel.x86.hostcall import bound_methods
from pykern.kernel.x86.trapframe import TrapFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.x86.processor import Processor
    from pykern_c import Machine
    from pykern_c.exits import Exit

_ARGUMENTS = (7, 6, 2, 1, 8, 9)
"""General registers that carry arguments: RDI, RSI, RDX, RCX, R8, R9."""
_MASK = 0xFFFF_FFFF_FFFF_FFFF
HOSTCALL_NS = 100
"""What a hostcall costs of virtual time, beside its instructions."""
