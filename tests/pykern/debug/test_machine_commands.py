"""Commands of `monitor` about the whole machine."""

from __future__ import annotations

import pytest

from gdbstub import TargetError, ThreadId
from pykern.debug.knowledge import Knowledge
from pykern.debug.machine_commands import dump
from pykern.debug.machine_target import MachineTarget
from tests.guest import ENTRY, long_mode_machine

ONE = ThreadId(1, 1)


@pytest.fixture
def target():
    return MachineTarget(long_mode_machine("mov eax, 1\nhlt"))


@pytest.mark.parametrize("name", ["why", "log", "tlb", "apic", "ioapic", "tss", "info mem",
                                  "info registers", "info lapic", "info pic", "xp 0",
                                  "why $rip", "why $sp", "step-others off"])  # fmt: skip
def test_looking_changes_nothing(target, name):
    before = target.machine.state_hash()
    target.monitor(ONE, name)
    assert target.machine.state_hash() == before


def test_physical_memory(target):
    assert target.monitor(ONE, f"xp {ENTRY} 5").startswith(f"{ENTRY:016x}  b8 01 00 00 00  ")
    assert dump(0x10, b"A\x00" * 9).splitlines()[1].startswith("0000000000000020  41 00")


def test_addresses_may_be_registers(target):
    assert target.monitor(ONE, "why $pc") == target.monitor(ONE, f"why {ENTRY:#x}")


@pytest.mark.parametrize(("command", "words"), [
    ("why $nothing", "no register"), ("walk zz", "is not an address"), ("log 0", "none of them"),
    ("log x", "is not a number"), ("step-others maybe", "neither on nor off"),
    ("info cats", "expected one of registers"), ("xp", "usage: monitor xp ADDR"),
    ("xp 0xffffffff0000", "is not memory"), ("power off", "usage: monitor power"),
])  # fmt: skip
def test_what_is_wrong_is_said(target, command, words):
    with pytest.raises(TargetError, match=words):
        target.monitor(ONE, command)


@pytest.mark.parametrize("command", ["power", "quit"])
def test_the_machine_ends_when_it_goes_on(target, command):
    assert "when it goes on" in target.monitor(ONE, command)
    assert target.request == "kill"


@pytest.mark.parametrize("command", ["reset", "system_reset"])
def test_the_machine_begins_again_and_stands_still(target, command):
    target.stopped = False
    assert "now type" in target.monitor(ONE, command)
    assert (target.request, target.stopped) == ("restart", True)


def test_symbols_are_addresses(target):
    target.knowledge = Knowledge(target.machine, find={"here": 0x5000}.get)
    assert target.monitor(ONE, "walk here") == target.monitor(ONE, "walk 0x5000")
    with pytest.raises(TargetError, match="or a symbol of the kernel"):
        target.monitor(ONE, "walk there")
