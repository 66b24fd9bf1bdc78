"""Some processors run while the others stand still."""

from __future__ import annotations

import struct

from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern.debug.some_processors import SomeProcessors
from pykern_c.exits import ExitReason
from tests.guest import long_mode_machine
from tests.pykern.debug.scripted import ScriptedGdb
from tests.pykern.debug.test_debugged_machine import COUNT


def counts(machine):
    return struct.unpack("<3Q", machine.read(0x5008, 24))


def test_only_the_chosen_ones_move():
    machine = long_mode_machine(COUNT, cpus=3)
    some = SomeProcessors(machine, [machine.vcpus[0], machine.vcpus[2]])
    assert [some.turn().reason for _ in range(2)] == [ExitReason.BUDGET] * 2
    assert machine.vcpus[0] in some
    assert machine.vcpus[1] not in some
    first, second, third = counts(machine)
    assert first == third == 256
    assert second == 0


def test_two_of_three_go_on_where_gdb_mentions_no_third():
    guest = long_mode_machine(COUNT, cpus=3)
    target = MachineTarget(guest)
    gdb = ScriptedGdb(target, ["vCont;s:1;c:3", "vCont;s:1;c:3", "k"])
    machine = DebuggedMachine(target, gdb, wait=True)
    while machine.run(10**6).reason is ExitReason.BUDGET:
        pass  # the other processor has had its turn
    first, second, third = counts(guest)
    assert (first, second) == (1, 0)
    assert third > 0


def test_the_others_stand_still_while_one_steps_if_told_to():
    guest = long_mode_machine(COUNT, cpus=2)
    target = MachineTarget(guest)
    off = "qRcmd," + b"step-others off".hex()
    gdb = ScriptedGdb(target, [off, *["vCont;s:1;c"] * 6, "k"])
    DebuggedMachine(target, gdb, wait=True).run(10**6)
    assert counts(guest)[:2] == (2, 0)


def test_time_goes_on_with_what_they_execute():
    """A processor that waits for a timer in a loop comes to its end while others are held."""
    machine, rung = long_mode_machine(COUNT, cpus=2), []
    machine.events.at(machine.now + 5000, lambda: rung.append(machine.now))
    some, start = SomeProcessors(machine, [machine.vcpus[1]]), machine.now
    for _ in range(4):
        assert not rung
        some.turn()
    assert machine.now - start == machine.vcpus[1].retired == 4096
    some.turn()
    assert rung == [start + 5120]
    assert machine.vcpus[0].retired == 0


def test_time_goes_on_where_all_of_them_wait():
    """The timer that ends the wait is one of the others' time as well."""
    machine, rung = long_mode_machine("hlt", cpus=2), []
    machine.events.at(machine.now + 5_000_000, lambda: rung.append(machine.now))
    some, start = SomeProcessors(machine, [machine.vcpus[1]]), machine.now
    while machine.vcpus[1].activity == "active":
        some.turn(start)
    assert machine.now < start + 5_000_000
    some.turn(start + 1000)
    assert machine.now == start + 1000
    some.turn()
    assert rung == [machine.now] == [start + 5_000_000]
    some.turn()
    assert machine.now == start + 5_000_000, "nothing is planned"
    assert machine.vcpus[0].retired == 0
