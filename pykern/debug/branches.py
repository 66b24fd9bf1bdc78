"""What a processor has executed lately, as blocks between branches.

It is looked at before each instruction, so recording is slow; nobody who does not ask pays for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pykern.debug.registers import linear_pc
from pykern_c.isa.disasm import disassemble

if TYPE_CHECKING:
    from pykern_c import Vcpu

_LONGEST = 15
_PAGE = 4096


class BranchTrace:
    """The blocks of one processor.

    Parameters
    ----------
    most : blocks that are kept, the newest ones

    Attributes
    ----------
    most : as given
    """

    def __init__(self, vcpu: Vcpu, most: int) -> None:
        self._vcpu = vcpu
        self.most = most
        self._blocks: deque[tuple[int, int]] = deque(maxlen=most)
        self._lengths: dict[tuple[bytes, int], int] = {}
        self._begin = self._last = self._next = linear_pc(vcpu)
        self._noted = -1

    def note(self) -> None:
        """Take the instruction that is next; a REP that goes on is the same one."""
        pc, execution = linear_pc(self._vcpu), self._vcpu.retired
        if pc == self._last and execution == self._noted:
            return
        if pc != self._next:
            self._blocks.append((self._begin, self._last))
            self._begin = pc
        self._last, self._noted = pc, execution
        self._next = pc + self._length(pc)

    def blocks(self) -> list[tuple[int, int]]:
        """Return (first, last instruction) of each block, the newest, which is not over, first."""
        self.note()
        return [(self._begin, self._last), *reversed(self._blocks)]

    def _length(self, pc: int) -> int:
        """Return the length of an instruction; 1 where there is none."""
        bits = self._vcpu.code_bits
        code = self._code(pc)
        if (code, bits) not in self._lengths:
            self._lengths[code, bits] = disassemble(code, pc, bits)[0] if code else 1
        return self._lengths[code, bits]

    def _code(self, pc: int) -> bytes:
        """Return as many bytes of an instruction as can be read."""
        for size in (_LONGEST, min(_LONGEST, _PAGE - pc % _PAGE)):
            try:
                return self._vcpu.read_linear(pc, size)
            except (ValueError, OverflowError):
                continue
        return b""
