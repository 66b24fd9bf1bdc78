"""Faults that stop the machine: gdb's signal, and an explanation before it."""

from __future__ import annotations

import pytest

from gdbstub import TargetError
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from tests.guest import ENTRY
from tests.pykern.debug.scripted import ScriptedGdb
from tests.pykern.debug.test_debugged_machine import UD_HANDLER, handlers_machine, run


def command(text):
    return "qRcmd," + text.encode().hex()


def session(script, rip=ENTRY + 4):
    guest = handlers_machine()
    guest.vcpus[0].write_register("rip", rip)
    target = MachineTarget(guest)
    gdb = ScriptedGdb(target, script)
    target.halt()
    run(DebuggedMachine(target, gdb, wait=True), 1000)
    console = "".join(
        bytes.fromhex(r[1:]).decode() for r in gdb.replies if r[0] == "O" and r != "OK"
    )
    return guest, gdb.replies, console


@pytest.mark.parametrize("which", ["on", "#UD", "6"])
def test_an_undefined_opcode_stops_at_its_handler_as_sigill(which):
    _, replies, console = session([command(f"stop-on-fault {which}"), "c"])
    (stop,) = [r for r in replies if r.startswith("T04")]
    assert f"10:{UD_HANDLER.to_bytes(8, 'little').hex()};" in stop
    assert f"#UD at RIP {ENTRY + 5:#x}, CPL 0\n" in console
    assert f"IDT entry at 0x6060: 0x8:{UD_HANDLER:#x}, present" in console


def test_faults_stop_nothing_unless_asked():
    guest, replies, _ = session([command("stop-on-fault on"), command("stop-on-fault off"), "c"])
    assert not [r for r in replies if r.startswith("T04")]
    alone = handlers_machine()
    alone.vcpus[0].write_register("rip", ENTRY + 4)
    run(alone, 1000)
    assert guest.state_hash() == alone.state_hash()


def test_what_is_no_exception_is_refused():
    stops = MachineTarget(handlers_machine()).fault_stops
    assert stops.choose("14") == "stops at: #PF\n"
    assert stops.choose("#GP") == "stops at: #GP #PF\n"
    with pytest.raises(TargetError, match="no exception '99', expected on, off or one of #DE"):
        stops.choose("99")
