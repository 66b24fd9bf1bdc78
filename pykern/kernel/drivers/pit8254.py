"""Driver of the 8254 programmable interval timer as a source of ticks (MEL-18).

References
----------
Intel 8254 datasheet, Control Word Format, Mode 2: Rate Generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.x86.calibration import PIT_HZ

if TYPE_CHECKING:
    from pykern_c import Vcpu

IRQ = 0
_CHANNEL_0, _CONTROL = 0x40, 0x43
_LOW_HIGH, _RATE_GENERATOR = 3 << 4, 2 << 1


def start(vcpu: Vcpu, hz: int) -> None:
    """Let channel 0 interrupt as often a second, or a little more.

    Raises
    ------
    ValueError : `hz` is not 19 to 596,591
    """
    divisor = PIT_HZ // hz if hz > 0 else 0
    if not 2 <= divisor < 1 << 16:
        raise ValueError(f"a PIT at {hz} Hz: expected 19 to {PIT_HZ // 2}")
    vcpu.port_write(_CONTROL, 1, _LOW_HIGH | _RATE_GENERATOR)
    vcpu.port_write(_CHANNEL_0, 1, divisor & 0xFF)
    vcpu.port_write(_CHANNEL_0, 1, divisor >> 8)
