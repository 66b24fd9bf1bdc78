"""How fast the local APIC's timer counts, measured against the PIT (MEL-10).

Nothing in a PC says the frequency of the APIC's clock; that of the PIT is the same in each. So the
boot processor lets its timer run while the image's `pit_wait` waits.

References
----------
SDM Vol. 3A, Advanced Programmable Interrupt Controller: APIC Timer. Intel 8254 datasheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.x86 import lapic, vectors

if TYPE_CHECKING:
    from pykern_c import Vcpu

PIT_HZ = 1_193_182
"""Its oscillator: a third of the colour carrier of NTSC, 14.31818 MHz, over 4."""
PIT_CLOCKS = 11_932
"""10 ms."""
_MOST = (1 << 32) - 1


def begin(vcpu: Vcpu) -> int:
    """Let the timer run, without interrupts; return how many clocks of the PIT are to pass."""
    lapic.start_timer(vcpu, vector=vectors.TIMER | lapic.MASKED, count=_MOST)
    return PIT_CLOCKS


def end(vcpu: Vcpu) -> int:
    """Return how many times a second the timer counts, and stop it."""
    counted = _MOST - lapic.timer_count(vcpu)
    lapic.start_timer(vcpu, vector=vectors.TIMER | lapic.MASKED, count=0)
    return counted * PIT_HZ // PIT_CLOCKS
