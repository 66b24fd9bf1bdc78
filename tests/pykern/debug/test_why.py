"""Faults and addresses in words."""

from __future__ import annotations

from pykern.debug.knowledge import Knowledge
from pykern.debug.why import FaultHistory, why_address, why_stopped
from tests.guest import ENTRY, long_mode_machine
from tests.pykern.debug.test_debugged_machine import UD_HANDLER, handlers_machine


def near(laddr):
    return f"code+{laddr - ENTRY:#x}" if laddr >= ENTRY else None


def test_the_chain_of_a_triple_fault_is_remembered():
    machine = long_mode_machine("mov qword ptr [0x40000000], 1")
    history = FaultHistory(machine)
    history.begin()
    machine.run(1000)
    text = why_stopped(Knowledge(machine, near=near), history, machine.vcpus[0])
    first, *_ = text.splitlines()
    assert first == (
        f"before: #PF at RIP {ENTRY:#x} <code+0x0>, error code 0x2 (page not present, write, "
        "supervisor), CR2 0x40000000, CPL 0"
    )
    assert "#DF at RIP" in text


def test_a_page_fault_is_explained_down_to_the_level_that_fails():
    machine = handlers_machine()
    machine.write(0x6000 + 16 * 14, machine.read(0x6000 + 16 * 6, 16))
    machine.vcpus[0].write_register("rip", UD_HANDLER)
    machine.vcpus[0].write_register("rsp", 0x3FFF_FFF8)
    history = FaultHistory(machine)
    history.begin()
    machine.run(machine.now + 5)
    text = why_stopped(Knowledge(machine), history, machine.vcpus[0])
    assert "#PF" in text
    assert "not present" in text
    assert "CR2 0x3ffffff8" in text


def test_no_fault_is_said_so():
    machine = long_mode_machine("hlt")
    text = why_stopped(Knowledge(machine), FaultHistory(machine), machine.vcpus[0])
    assert text == "CPU 0 has had no fault while a debugger was there\n"


def test_an_address_is_named_and_walked():
    machine = long_mode_machine("hlt")
    text = why_address(Knowledge(machine, near=near), machine.vcpus[0], ENTRY + 2)
    assert text.startswith(f"{ENTRY + 2:#x} <code+0x2>\n  physical {ENTRY + 2:#x}, RAM\n")
    assert "PTE" in text
