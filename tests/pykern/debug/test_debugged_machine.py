"""A machine that stands still for gdb, and is none the worse for it."""

from __future__ import annotations

import struct

import pytest

from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine
from tests.pykern.debug.scripted import ScriptedGdb

COUNT = """
1:  lock inc qword ptr [0x5000]
    inc qword ptr [0x5008 + rdi * 8]
    mov rax, [0x5000]
    jmp 1b
"""
LOCK_INC, INC, MOV, JMP = 0, 9, 17, 25
"""Offsets of the instructions."""
UNTIL = 600_000
MAX_HOOKS = 16384
"""As in pykern_c/cpu.pxd."""
IDT = 0x6000
HANDLERS = """
    nop
    nop
    nop
    hlt
    nop
    ud2
.org 0x100
    inc qword ptr [0x5000]
    iretq
.org 0x200
    nop
    add qword ptr [rsp], 2
    iretq
"""
TIMER, HANDLER, UD_HANDLER = 0x40, ENTRY + 0x100, ENTRY + 0x200


def debugged(machine, script):
    target = MachineTarget(machine)
    gdb = ScriptedGdb(target, script)
    return DebuggedMachine(target, gdb, wait=True), gdb


def run(machine, until=UNTIL):
    """Run as a session does; return the last exit."""
    while True:
        ended = machine.run(until)
        if ended.reason is not ExitReason.BUDGET or machine.events.now >= until:
            return ended


def handlers_machine():
    """A processor whose timer interrupt and #UD have handlers."""
    machine = long_mode_machine(HANDLERS)
    for vector, laddr in ((TIMER, HANDLER), (6, UD_HANDLER)):
        gate = struct.pack("<HHHHI4x", laddr & 0xFFFF, 8, 0x8E00, laddr >> 16, 0)
        machine.write(IDT + 16 * vector, gate)
    machine.write(0x7000, struct.pack("<3Q", 0, 0xAF9B << 40 | 0xFFFF, 0xCF93 << 40 | 0xFFFF))
    cpu = machine.vcpus[0]
    for name, value in (("idtr.base", IDT), ("idtr.limit", 0xFFF), ("gdtr.base", 0x7000),
                        ("gdtr.limit", 23), ("rflags", 0x202)):  # fmt: skip
        cpu.write_register(name, value)
    machine.virtual_wire()
    return machine


def stops(gdb):
    """Return (thread, offset of RIP) of each stop."""
    found = []
    for reply in gdb.replies:
        if reply.startswith("T05"):
            fields = dict(part.split(":") for part in reply[3:].split(";") if part)
            rip = int.from_bytes(bytes.fromhex(fields["10"]), "little")
            found.append((int(fields["thread"], 16), rip - ENTRY))
    return found


SCRIPTS = {
    "nothing": [],
    "steps": ["vCont;s:1;c"] * 40 + ["vCont;s:2;c"] * 40,
    "breakpoints": [f"Z0,{ENTRY + MOV:x},1", *["vCont;c"] * 60, f"z0,{ENTRY + MOV:x},1"],
    "watchpoints": ["Z2,5008,8", *["vCont;c"] * 30, "z2,5008,8",
                    "Z4,5000,8", *["c"] * 9, "z4,5000,8"],
    "ranges": [f"vCont;r{ENTRY:x},{ENTRY + JMP:x}:1;c"] * 20,
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("cpus", [1, 3])
def test_the_run_is_the_same_as_without_a_debugger(cpus, script):
    if cpus == 1:
        script = [request for request in script if not request.startswith("vCont;s:2")]
    alone, watched = (long_mode_machine(COUNT, cpus=cpus, seed=5) for _ in range(2))
    run(alone)
    machine, gdb = debugged(watched, script)
    run(machine)
    assert len(gdb.replies) == len(script) + 3
    assert not [reply for reply in gdb.replies if reply.startswith("E")]
    assert (watched.now, watched.retired) == (alone.now, alone.retired)
    assert watched.state_hash() == alone.state_hash()


def test_steps_are_single():
    machine, gdb = debugged(long_mode_machine(COUNT, cpus=2), ["vCont;s:2;c"] * 5)
    run(machine)
    assert stops(gdb) == [(2, INC), (2, MOV), (2, JMP), (2, LOCK_INC), (2, INC)]


def test_a_locked_step_leaves_the_others_where_they_are():
    guest = long_mode_machine(COUNT, cpus=2)
    machine, gdb = debugged(guest, ["vCont;s:2", "vCont;s:2", "m5000,18", "k"])
    run(machine)
    assert stops(gdb) == [(2, INC), (2, MOV)]
    counts = struct.unpack("<3Q", bytes.fromhex(gdb.replies[-1]))
    assert counts == (1, 0, 1)


def test_a_breakpoint_is_hit_each_time_and_before_the_instruction():
    machine, gdb = debugged(
        long_mode_machine(COUNT), [f"Z1,{ENTRY + INC:x},1", *["c"] * 3, "m5000,10"]
    )
    run(machine)
    assert stops(gdb) == [(1, INC)] * 3
    assert "hwbreak:;" in gdb.replies[3]
    assert struct.unpack("<2Q", bytes.fromhex(gdb.replies[-2])) == (3, 2)


def test_a_watchpoint_stops_behind_the_access():
    machine, gdb = debugged(
        long_mode_machine(COUNT), ["Z3,5004,1", "c", "z3,5004,1", "Z2,5000,4", "c"]
    )
    run(machine)
    assert stops(gdb) == [(1, INC), (1, INC)]  # LOCK INC reads as well
    assert "rwatch:5004;" in gdb.replies[3]
    assert "watch:5000;" in gdb.replies[6]


def test_the_guests_memory_is_never_patched():
    guest = long_mode_machine(COUNT)
    code = guest.read(ENTRY, 32)
    machine, gdb = debugged(guest, [f"Z0,{ENTRY:x},1", "c", f"m{ENTRY:x},20"])
    run(machine)
    assert gdb.replies[-2] == code.hex()


def test_an_interrupt_during_a_step_is_served_first():
    guest = handlers_machine()
    guest.events.at(guest.now + 2, lambda: guest.vcpus[0].inject(TIMER))
    machine, gdb = debugged(guest, ["s", "s", "s", "m5000,1"])
    run(machine)
    assert stops(gdb) == [(1, 1), (1, 2), (1, 3)]
    assert gdb.replies[-2] == "01"


def test_a_step_over_hlt_ends_behind_it():
    guest = handlers_machine()
    guest.events.at(guest.now + 5000, lambda: guest.vcpus[0].inject(TIMER))
    machine, gdb = debugged(guest, ["s", "s", "s", "s", "m5000,1"])
    run(machine)
    assert stops(gdb) == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert "01" in gdb.replies


def test_a_step_into_a_fault_ends_at_its_handler():
    guest = handlers_machine()
    guest.vcpus[0].write_register("rip", ENTRY + 4)
    machine, gdb = debugged(guest, ["s", "s", "s"])
    run(machine)
    assert stops(gdb) == [(1, 5), (1, 0x200), (1, 0x201)]


def test_a_triple_fault_is_explained_and_then_ends_the_run():
    machine, gdb = debugged(long_mode_machine("ud2"), ["c", "c"])
    assert run(machine).reason is ExitReason.SHUTDOWN
    text = "".join(bytes.fromhex(r[1:]).decode() for r in gdb.replies if r[0] == "O" and r != "OK")
    assert text.startswith("triple fault on CPU 0")
    assert gdb.replies[-1].startswith("T06")


def test_ctrl_c_stops_a_running_machine():
    guest = long_mode_machine(COUNT)
    machine, gdb = debugged(guest, ["c"])
    machine.run(1000)
    gdb.session.feed(b"\x03")
    machine.run(2000)
    assert gdb.replies[-2].startswith("T02thread:1;")
    assert guest.now == 2000


def test_ctrl_c_ends_a_step_that_nothing_else_would():
    """The processor halts for ever, while another one is busy."""
    guest = long_mode_machine("test rdi, rdi\njnz 1f\nhlt\n1: jmp 1b", cpus=2)
    machine, gdb = debugged(guest, [*["vCont;s:1;c"] * 3, "k"])
    machine.run(10**9)
    assert gdb.replies[-1].startswith("T02thread:2;")
    assert guest.now < 10**6


def test_ctrl_c_ends_a_long_slice_with_a_watchpoint():
    guest = long_mode_machine(COUNT)
    machine, gdb = debugged(guest, ["Z2,5100,8", "c", "k"])
    machine.run(10**10)
    assert gdb.replies[-1].startswith("T02thread:1;")


@pytest.mark.parametrize(("request_", "what"), [("k", "killed"), ("R00", "reset")])
def test_gdb_may_end_the_machine_or_begin_again(request_, what):
    machine, _ = debugged(long_mode_machine(COUNT), [request_])
    ended = machine.run(1000)
    assert (ended.reason, ended.what) == (ExitReason.STOPPED, what)


def test_gdb_hears_of_the_end():
    machine, gdb = debugged(long_mode_machine(COUNT), ["c"])
    machine.run(1000)
    machine.ended(36)
    assert gdb.replies[-1] == "W24"


def test_more_breakpoints_than_the_core_has_are_refused_when_it_goes_on():
    guest = long_mode_machine(COUNT)
    for _ in range(MAX_HOOKS):
        guest.add_hook(None, kinds="in", first=0x99)
    machine, gdb = debugged(guest, [f"Z0,{ENTRY:x},1", "c", "m5000,1", "k"])
    machine.run(1000)
    assert gdb.replies[-2:] == ["E0e", "00"]


READ_CLOCK = """
    hlt
    test rdi, rdi
    jz 2f
1:  in eax, 0x10
    add [0x5000 + rdi * 8], rax
    jmp 1b
.org 0x80
2:  inc qword ptr [0x5000]
    mov ecx, 200
3:  loop 3b
    jmp 2b
"""
WOKEN, BUSY = 50_000, ENTRY + 0x80


class ClockPort:
    """A device that shows virtual time."""

    def __init__(self, machine):
        self._machine = machine

    def read(self, _offset, _size):
        return self._machine.now & 0xFFFF_FFFF


def clock_machine():
    """Three processors that wait for a while; then two add up what a clock shows them."""
    machine = long_mode_machine(READ_CLOCK, cpus=3, seed=11)
    machine.map_ports(0x10, 1, ClockPort(machine))
    machine.events.at(WOKEN, lambda: [vcpu.activate() for vcpu in machine.vcpus])
    return machine


@pytest.mark.parametrize(
    "requests", [["c"] * 300, ["vCont;s:1;c"] * 9000], ids=["breakpoints", "steps"]
)
def test_devices_show_the_same_time(requests):
    """A stop in one processor's turn must not move the clock that the next one reads."""
    alone, watched = clock_machine(), clock_machine()
    run(alone, 150_000)
    point = f"1,{BUSY:x},1"
    machine, gdb = debugged(watched, [f"Z{point}", "c", f"z{point}", f"Z{point}", *requests,
                                      f"z{point}"])  # fmt: skip
    run(machine, 150_000)
    assert len(gdb.replies) > len(requests)
    assert watched.state_hash() == alone.state_hash()


def test_who_waits_gets_no_turn_for_a_change_of_hooks():
    alone, watched = clock_machine(), clock_machine()
    run(alone, 150_000)
    run(watched, 20_000)
    for _ in range(3):
        watched.remove_hook(watched.add_hook(None, kinds="x", first=0x1234))
        run(watched, watched.now + 5_000)
    run(watched, 150_000)
    assert watched.state_hash() == alone.state_hash()


def test_past_a_breakpoint_goes_who_is_about_to():
    """gdb takes the breakpoint out for one step of one processor, and means the whole run."""
    point = f"{ENTRY + MOV:x},1"
    script = [f"Z0,{point}"]
    for _ in range(60):
        script += ["c", f"z0,{point}", "vCont;s:STOPPED", f"Z0,{point}"]
    alone, watched = (long_mode_machine(COUNT, cpus=3, seed=5) for _ in range(2))
    run(alone)
    machine, gdb = debugged(watched, script)
    run(machine)
    assert not [reply for reply in gdb.replies if reply.startswith("E")]
    assert watched.state_hash() == alone.state_hash()
