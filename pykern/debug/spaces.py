"""Address spaces as breakpoints need them: whose memory an address is in, and what is there.

A machine alone has one for each processor, the one it is in at the moment. Whoever knows processes
knows more of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Vcpu


class Spaces:
    """The address spaces of a machine nobody knows the processes of.

    An owner is the number of the process that a breakpoint was set in, 0 none in particular.
    """

    def root(self, owner: int, laddr: int) -> int | None:
        """Return the physical address of the top page table that CR3 must hold; None: any."""
        del owner, laddr
        return None

    def executes(self, vcpu: Vcpu, owner: int) -> bool:
        """Tell whether what a processor executes is an owner's."""
        del vcpu, owner
        return True

    def read(self, vcpu: Vcpu, owner: int, laddr: int, size: int) -> bytes | None:
        """Return memory of an owner, 0: of what a processor executes; None: not all is there."""
        del owner
        try:
            return vcpu.read_linear(laddr, size)
        except (ValueError, OverflowError):
            return None

    def translate(self, vcpu: Vcpu, owner: int, laddr: int) -> int | None:
        """Return the physical address of an owner's linear one; None: there is none."""
        del owner
        return vcpu.translate(laddr).paddr
