"""Triple faults in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.machine.shutdown import describe_fault, describe_gate, explain_shutdown
from pykern_c.exits import Exit, ExitReason, FaultRecord


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            (14, 2, 0x1000, 0xDEAD000),
            "#PF at RIP 0x1000, error code 0x2 (page not present, write, supervisor), "
            "CR2 0xdead000",
        ),
        (
            (14, 0x1D, 1, 2),
            "#PF at RIP 0x1, error code 0x1d (protection, instruction fetch, user, "
            "reserved bit set), CR2 0x2",
        ),
        (
            (13, 0x72, 0x10, 0),
            "#GP at RIP 0x10, error code 0x72 (IDT entry 0xe #PF)",
        ),
        ((13, 0, 0, 0), "#GP at RIP 0x0, error code 0x0 (no selector)"),
        ((6, None, 7, 0), "#UD at RIP 0x7"),
    ],
)
def test_fault(fault, text):
    assert describe_fault(FaultRecord(*fault)) == text


class Cpu:
    """A processor in long mode with an IDT of 15 entries at 1000h, of which only #DF is there."""

    def __init__(self, **registers):
        self.registers = {"cr0": 1, "efer": 0x500, "idtr.base": 0x1000, "idtr.limit": 239}
        self.registers.update(registers)
        self.memory = bytearray(240)
        gate = 0x4567 | 0x10 << 16 | 2 << 32 | 0x8E << 40 | 0x0123 << 48 | 0xFFFFFFFF << 64
        self.memory[128:144] = gate.to_bytes(16, "little")

    def read_register(self, name):
        return self.registers.get(name, len(name))

    def read_linear(self, laddr, size):
        if laddr >= 0x2000:
            raise ValueError(laddr)
        return bytes(self.memory[laddr - 0x1000 :][:size])

    def translate(self, laddr, access):
        return SimpleNamespace(explain=lambda: f"walk {laddr:#x} {access}\nfailed")


@pytest.mark.parametrize(
    ("cpu", "vector", "text"),
    [
        (Cpu(), 8, "IDT entry at 0x1080: 0x10:0xffffffff01234567, present, IST2"),
        (Cpu(), 13, "IDT entry at 0x10d0: 0x0:0x0, not present, stack 0x3"),
        (Cpu(), 15, "IDT at 0x1000, limit 0xef: no entry for vector 15"),
        (Cpu(**{"idtr.base": 0x9000}), 6, "IDT entry at 0x9060: not mapped to memory"),
        (Cpu(cr0=0), 6, "real-mode vector table at 0x1000, limit 0xef"),
    ],
)
def test_gate(cpu, vector, text):
    assert describe_gate(cpu, vector) == text


def test_the_whole_explanation():
    chain = (FaultRecord(14, 2, 16, 0xBAD), FaultRecord(14, 16, 16, 7), FaultRecord(8, 0, 16, 0))
    lines = explain_shutdown(Cpu(), Exit(ExitReason.SHUTDOWN, 1, faults=chain))
    assert lines[0] == "triple fault on CPU 1"
    assert [line.strip() for line in lines[1:10]] == [
        "1. #PF at RIP 0x10, error code 0x2 (page not present, write, supervisor), CR2 0xbad",
        "walk 0xbad w",
        "failed",
        "IDT entry at 0x10e0: 0x0:0x0, not present, stack 0x3",
        "2. #PF at RIP 0x10, error code 0x10 (page not present, instruction fetch, supervisor), "
        "CR2 0x7",
        "walk 0x7 x",
        "failed",
        "IDT entry at 0x10e0: 0x0:0x0, not present, stack 0x3",
        "3. #DF at RIP 0x10, error code 0x0 (no selector)",
    ]
    assert "rip 0000000000000003" in "\n".join(lines)
