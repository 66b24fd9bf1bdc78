"""Triple faults in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.machine.shutdown import describe_fault, explain_shutdown
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
            "#GP at RIP 0x10, error code 0x72 (IDT entry 0xe)",
        ),
        ((13, 0, 0, 0), "#GP at RIP 0x0, error code 0x0 (no selector)"),
        ((6, None, 7, 0), "#UD at RIP 0x7"),
    ],
)
def test_fault(fault, text):
    assert describe_fault(FaultRecord(*fault)) == text


def test_the_whole_explanation():
    cpu = SimpleNamespace(read_register=lambda name: len(name))
    chain = [FaultRecord(vector, 0, 16, 0) for vector in (6, 13, 8)]
    lines = explain_shutdown(cpu, Exit(ExitReason.SHUTDOWN, 1, faults=tuple(chain)))
    assert lines[0] == "triple fault on CPU 1"
    assert [line.split()[1] for line in lines[1:4]] == ["#UD", "#GP", "#DF"]
    assert "rip 0000000000000003" in "\n".join(lines)
