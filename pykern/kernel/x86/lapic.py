"""Driver of the local APIC of the processor that executes (MEL-09, MEL-10).

References
----------
SDM Vol. 3A, Advanced Programmable Interrupt Controller: Local APIC Registers, Interrupt Command
Register, APIC Timer.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Vcpu

BASE = 0xFEE0_0000


class Register(IntEnum):
    """Offsets from the base."""

    ID = 0x020
    VERSION = 0x030
    TPR = 0x080
    EOI = 0x0B0
    SVR = 0x0F0
    ESR = 0x280
    ICR_LOW = 0x300
    ICR_HIGH = 0x310
    LVT_TIMER = 0x320
    LVT_LINT0 = 0x350
    LVT_ERROR = 0x370
    TIMER_INITIAL = 0x380
    TIMER_CURRENT = 0x390
    TIMER_DIVIDE = 0x3E0


SOFTWARE_ENABLE = 1 << 8
MASKED = 1 << 16
PERIODIC = 1 << 17
DELIVERY_FIXED, DELIVERY_INIT, DELIVERY_STARTUP = 0 << 8, 5 << 8, 6 << 8
LEVEL_ASSERT = 1 << 14

DIVIDERS = {1: 0b1011, 2: 0b0000, 4: 0b0001, 8: 0b0010, 16: 0b0011, 32: 0b1000}
DIVIDERS |= {64: 0b1001, 128: 0b1010}
"""Divisor of the timer's clock → value of the divide configuration register."""


def read(vcpu: Vcpu, register: Register) -> int:
    """Return a register of the processor's own APIC."""
    return vcpu.physical_read(BASE + register, 4)


def write(vcpu: Vcpu, register: Register, value: int) -> None:
    """Set a register of the processor's own APIC."""
    vcpu.physical_write(BASE + register, 4, value)


def enable(vcpu: Vcpu, *, spurious: int, error: int) -> None:
    """Let the APIC take interrupts of every priority.

    Parameters
    ----------
    spurious, error : vectors
    """
    write(vcpu, Register.SVR, SOFTWARE_ENABLE | spurious)
    write(vcpu, Register.LVT_ERROR, error)
    write(vcpu, Register.LVT_LINT0, MASKED)
    write(vcpu, Register.TPR, 0)


def end_of_interrupt(vcpu: Vcpu) -> None:
    """Tell the APIC that the interrupt in service is done with."""
    vcpu.physical_write(BASE + Register.EOI, 4, 0)


def send_fixed(vcpu: Vcpu, apic_id: int, vector: int) -> None:
    """Send an interrupt to another processor."""
    _command(vcpu, apic_id, DELIVERY_FIXED | LEVEL_ASSERT | vector)


def send_init(vcpu: Vcpu, apic_id: int) -> None:
    """Put another processor into the state in which it waits for its start-up IPI."""
    _command(vcpu, apic_id, DELIVERY_INIT | LEVEL_ASSERT)


def send_startup(vcpu: Vcpu, apic_id: int, page: int) -> None:
    """Start a waiting processor in real mode.

    Parameters
    ----------
    page : physical page number below 1 MiB where its first code is; the vector of the SIPI
    """
    _command(vcpu, apic_id, DELIVERY_STARTUP | LEVEL_ASSERT | page)


def _command(vcpu: Vcpu, apic_id: int, low: int) -> None:
    write(vcpu, Register.ICR_HIGH, apic_id << 24)
    write(vcpu, Register.ICR_LOW, low)


def start_timer(
    vcpu: Vcpu, *, vector: int, count: int, divisor: int = 1, periodic: bool = False
) -> None:
    """Count down from `count` at the bus clock over `divisor`, then interrupt; 0 stops it."""
    write(vcpu, Register.TIMER_DIVIDE, DIVIDERS[divisor])
    write(vcpu, Register.LVT_TIMER, vector | (PERIODIC if periodic else 0))
    write(vcpu, Register.TIMER_INITIAL, count)


def timer_count(vcpu: Vcpu) -> int:
    """Return what is left of the timer's count."""
    return read(vcpu, Register.TIMER_CURRENT)
