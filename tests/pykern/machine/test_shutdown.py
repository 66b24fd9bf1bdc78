"""Triple faults in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.machine.shutdown import describe_fault, explain_shutdown


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            {"vector": 14, "error": 2, "rip": 0x1000, "address": 0xDEAD000},
            "#PF at RIP 0x1000, error code 0x2 (page not present, write, supervisor), "
            "CR2 0xdead000",
        ),
        (
            {"vector": 14, "error": 0x1D, "rip": 1, "address": 2},
            "#PF at RIP 0x1, error code 0x1d (protection, instruction fetch, user, "
            "reserved bit set), CR2 0x2",
        ),
        (
            {"vector": 13, "error": 0x72, "rip": 0x10},
            "#GP at RIP 0x10, error code 0x72 (IDT entry 0xe)",
        ),
        ({"vector": 13, "error": 0, "rip": 0}, "#GP at RIP 0x0, error code 0x0 (no selector)"),
        ({"vector": 6, "error": 0, "rip": 7}, "#UD at RIP 0x7"),
    ],
)
def test_fault(fault, text):
    assert describe_fault(fault) == text


def test_the_whole_explanation():
    cpu = SimpleNamespace(read_register=lambda name: len(name))
    chain = [{"vector": v, "error": 0, "rip": 16, "address": 0} for v in (6, 13, 8)]
    lines = explain_shutdown(cpu, SimpleNamespace(vcpu=1, detail=chain))
    assert lines[0] == "triple fault on CPU 1"
    assert [line.split()[1] for line in lines[1:4]] == ["#UD", "#GP", "#DF"]
    assert "rip 0000000000000003" in "\n".join(lines)
