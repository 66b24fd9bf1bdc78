"""Processors of a machine that go on and stop one by one."""

from __future__ import annotations

import struct

from gdbstub.packet import frame
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine
from tests.pykern.debug.scripted import ScriptedGdb
from tests.pykern.debug.test_debugged_machine import COUNT, JMP


class Observing(ScriptedGdb):
    """One that keeps the notifications, and asks the next thing whenever it is looked at."""

    def __init__(self, target, script):
        self.notified = []
        super().__init__(target, script)

    def poll(self, timeout=0):
        request = next(self._script, "k" if timeout is None else None)
        if request is not None:
            self._take(self.session.feed(frame(request.encode())))
        return True

    def _take(self, data):
        self.notified += [part[:20] for part in data.split(b"%Stop:")[1:]]
        super()._take(data)


def run(cpus, *script, slices=40):
    guest = long_mode_machine(COUNT, cpus=cpus)
    target = MachineTarget(guest)
    gdb = Observing(target, ["QNonStop:1", *script])
    machine = DebuggedMachine(target, gdb, wait=True)
    for _ in range(slices):
        if machine.run(guest.now + 1000).reason is ExitReason.STOPPED:
            break
    return guest, target, gdb


def counts(guest):
    return struct.unpack("<3Q", guest.read(0x5008, 24))


def test_the_machine_goes_on_as_ever_while_all_processors_do():
    guest, target, _ = run(2, "vCont;c")
    alone = long_mode_machine(COUNT, cpus=2)
    alone.run(guest.now)
    assert guest.state_hash() == alone.state_hash()
    assert len(target.running_threads()) == 2


def test_one_stops_at_its_breakpoint_and_the_others_go_on():
    script = ["vCont;c:2;c:3", f"Z0,{ENTRY + JMP:x},1", "vCont;c:1"]
    guest, _, gdb = run(3, *script)
    assert b"T05" in {part[:3] for part in gdb.notified}
    assert counts(guest)[1] > 0


def test_one_is_stopped_and_stays_where_it_is():
    guest, target, gdb = run(2, "vCont;c", "vCont;t:1")
    assert gdb.notified == [b"T00thread:1;core:0;0"]
    before = counts(guest)
    machine = DebuggedMachine(target, gdb, wait=False)
    for _ in range(20):
        machine.run(guest.now + 1000)
    first, second, _ = counts(guest)
    assert first == before[0]
    assert second > before[1]


def test_ctrl_c_stops_one_that_runs():
    _, target, gdb = run(2, "vCont;c", "vCtrlC")
    assert [part[:3] for part in gdb.notified] == [b"T02"]
    assert len(target.running_threads()) == 1
