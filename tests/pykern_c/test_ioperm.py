"""I/O permission by IOPL and the TSS, against what Bochs printed; and the hostcall port."""

from __future__ import annotations

import pytest

from pykern_c.exits import ExitReason
from tests.guest import ENTRY, PRESENT, USER, long_mode, long_mode_machine, page_tables
from tests.privileged import cases, log, recorded


@pytest.mark.parametrize("name", cases("protected", r"(user|v86) in\b"))
def test_bit_map(name):
    assert log("protected")[name] == recorded("protected")[name]


@pytest.mark.parametrize("name", cases("long", r"user in\b"))
def test_bit_map_of_a_64_bit_tss(name):
    assert log("long")[name] == recorded("long")[name]


def test_hostcall_retires_and_comes_back():
    machine = long_mode_machine("mov eax, 77\nout 0xEE, eax\nmov ebx, 1\nhlt")
    machine.hostcall_port = 0xEE
    end = machine.run(1000)
    assert (end.reason, end.code) == (ExitReason.HOSTCALL, 77)
    assert machine.vcpus[0].read_register("rip") == ENTRY + 7
    machine.run(1000)
    assert machine.vcpus[0].read_register("rbx") == 1


def test_ring_3_has_no_hostcall():
    machine = long_mode_machine("out 0xEE, eax")
    machine.hostcall_port = 0xEE
    page_tables(machine, flags=PRESENT | USER)
    long_mode(machine.vcpus[0], cpl=3)
    machine.vcpus[0].write_register("idtr.limit", 0)
    machine.vcpus[0].write_register("tr.limit", 0x67)  # no room for a bit map
    machine.write(102, b"\x68\x00")
    end = machine.run(1000)
    assert end.reason is ExitReason.SHUTDOWN
    assert (end.faults[0].vector, end.faults[0].error) == (13, 0)


@pytest.mark.parametrize(
    ("access", "de", "hit"),
    [
        ("in al, 0x84", True, True),
        ("in al, 0x87", True, True),
        ("in al, 0x88", True, False),
        ("in ax, 0x83", True, True),
        ("out 0x84, eax", True, True),
        ("in al, 0x84", False, False),
    ],
)
def test_io_breakpoints(access, de, hit):
    source = f"""
        mov rax, cr4
        {"or eax, 8" if de else "nop"}
        mov cr4, rax
        mov eax, 0x84
        mov dr0, rax
        mov eax, 0xE0402        # DR0: 4 bytes of I/O
        mov dr7, rax
        {access}
        nop
        hlt
    """
    machine = long_mode_machine(source)
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(1000)
    assert [f.vector for f in end.faults[:1]] == ([1] if hit else [])
    assert machine.vcpus[0].read_register("dr6") & 0xF == int(hit)
