"""Start the other processors: trampoline, INIT, start-up IPI (MEL-03).

References
----------
SDM Vol. 3A, Multiple-Processor Initialization: MP Initialization Protocol Algorithm.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.x86 import lapic, layout

if TYPE_CHECKING:
    from pykern.kernel.core.memory import PhysicalMemory
    from pykern_c import Vcpu

STARTUP_VECTOR = layout.TRAMPOLINE >> 12
INIT_DELAY_NS = 10_000_000
"""Between INIT and the start-up IPI."""


def copy_trampoline(memory: PhysicalMemory, vcpu: Vcpu, symbols: dict[str, int]) -> None:
    """Put the start-up code of application processors where its real mode can run it."""
    start, end = symbols["trampoline_start"], symbols["trampoline_end"]
    memory.write(layout.TRAMPOLINE, vcpu.read_linear(start, end - start))


def set_parameters(
    memory: PhysicalMemory, symbols: dict[str, int], *, cr3: int, stack: int, number: int
) -> None:
    """Say what the next processor to start begins with.

    Parameters
    ----------
    cr3 : physical address of the PML4, below 4 GiB, that also maps the trampoline onto itself
    stack : top of its stack
    number : the kernel's number for it
    """
    offset = symbols["trampoline_parameters"] - symbols["trampoline_start"]
    values = struct.pack("<4Q", cr3, stack, number, symbols["secondary_entry"])
    memory.write(layout.TRAMPOLINE + offset, values)


def send_init(vcpu: Vcpu, apic_id: int) -> None:
    """Reset a processor; it waits for its start-up IPI."""
    lapic.send_init(vcpu, apic_id)


def send_startup(vcpu: Vcpu, apic_id: int) -> None:
    """Let it begin at the trampoline."""
    lapic.send_startup(vcpu, apic_id, STARTUP_VECTOR)
