"""The pair of 8259 interrupt controllers, put out of the way of the APICs.

References
----------
Intel 8259A datasheet, Initialization Command Words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Vcpu

_MASTER, _SLAVE = 0x20, 0xA0
_ICW1, _ICW4_8086 = 0x11, 0x01
_CASCADE = 2
_ALL = 0xFF


def disable(vcpu: Vcpu, first_vector: int) -> None:
    """Mask every line; a spurious interrupt arrives at a vector of its own, not at an exception's.

    Parameters
    ----------
    first_vector : of line 0; the 16 lines follow each other
    """
    for port, vector, cascade in (
        (_MASTER, first_vector, 1 << _CASCADE),
        (_SLAVE, first_vector + 8, _CASCADE),
    ):
        vcpu.port_write(port, 1, _ICW1)
        for word in (vector, cascade, _ICW4_8086, _ALL):
            vcpu.port_write(port + 1, 1, word)
