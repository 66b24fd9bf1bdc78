"""MONITOR and MWAIT."""

from __future__ import annotations

import pytest

from pykern_c.exits import ExitReason
from tests.guest import PRESENT, USER, long_mode, long_mode_machine, page_tables

WAITER = """
    mov eax, 0x200000
    xor ecx, ecx
    xor edx, edx
    cmp edi, 0
    jne writer
    monitor
    mwait
    mov ebx, [0x200000]
    hlt
writer:
    mov ecx, 5000
1:  loop 1b
    mov dword ptr [{address}], 7
    hlt
"""


def test_a_store_by_another_processor_ends_the_wait():
    machine = long_mode_machine(WAITER.format(address="0x20003C"), cpus=2)
    end = machine.run()
    assert end.reason is ExitReason.HLT
    assert [v.activity for v in machine.vcpus] == ["halted", "halted"]
    assert machine.vcpus[0].retired < 20


def test_a_store_beside_the_line_does_not():
    machine = long_mode_machine(WAITER.format(address="0x200040"), cpus=2)
    machine.run(1_000_000)
    assert machine.vcpus[0].activity == "mwait"


def test_a_store_before_mwait_ends_it_at_once():
    machine = long_mode_machine("""
        mov eax, 0x200000
        xor ecx, ecx
        xor edx, edx
        monitor
        mov [0x200000], eax
        mwait
        hlt
    """)
    machine.run(1000)
    assert machine.vcpus[0].activity == "halted"


@pytest.mark.parametrize(("source", "cpl", "fault"), [
    ("monitor", 3, (6, None)),
    ("mwait", 3, (6, None)),
    ("mov ecx, 1\nmonitor", 0, (13, 0)),
    ("mov ecx, 2\nmwait", 0, (13, 0)),
])  # fmt: skip
def test_faults(source, cpl, fault):
    machine = long_mode_machine(source)
    page_tables(machine, flags=PRESENT | USER)
    long_mode(machine.vcpus[0], cpl=cpl)
    machine.vcpus[0].write_register("idtr.limit", 0)
    first = machine.run(1000).faults[0]
    assert (first.vector, first.error) == fault
