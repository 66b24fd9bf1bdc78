"""Conditions, commands, watchpoints and tracepoints of a machine, as gdb sends them."""

from __future__ import annotations

import struct

import pytest

from gdbstub.agent import Op
from gdbstub.x86 import X86_64
from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine
from tests.pykern.debug.test_debugged_machine import UNTIL, debugged, run, stops

LOOP = """
1:  inc rcx
    lock inc qword ptr [0x5000]
    mov [0x5010], rcx
    mov qword ptr [0x5020], 7
    add [0x5030], rcx
    jmp 1b
"""
INC, LOCK, STORE, SAME, ADD, JMP = 0, 3, 12, 20, 32, 40
"""Offsets of the instructions."""


def number(name):
    return (X86_64.numbers[name]).to_bytes(2, "big")


def expression(*parts):
    code = b"".join(p if isinstance(p, bytes) else bytes((p,)) for p in (*parts, Op.END))
    return f"X{len(code):x},{code.hex()}"


def rcx_is(value):
    return expression(Op.REG, number("rcx"), Op.CONST16, value.to_bytes(2, "big"), Op.EQUAL)


def print_rcx(text):
    raw = text.encode() + b"\0"
    return expression(Op.REG, number("rcx"), Op.CONST8, 0, Op.CONST8, 0, Op.PRINTF, 1,
                      len(raw).to_bytes(2, "big"), raw)  # fmt: skip


def guest(cpus=1):
    machine = long_mode_machine(LOOP, cpus=cpus, seed=3)
    for cpu in machine.vcpus:
        cpu.write_register("rcx", 0)
    return machine


def said(gdb):
    replies = (r for r in gdb.replies if r.startswith("O") and r != "OK")
    return "".join(bytes.fromhex(reply[1:]).decode() for reply in replies)


def test_a_condition_stops_where_it_holds():
    machine, gdb = debugged(guest(), [f"Z0,{ENTRY + LOCK:x},1;{rcx_is(20)}", "c", "p2", "c", "k"])
    machine.run(300)
    assert "ConditionalBreakpoints+;BreakpointCommands+" in gdb.replies[0]
    assert stops(gdb) == [(1, LOCK)]
    assert gdb.replies[4] == (20).to_bytes(8, "little").hex()


def test_several_conditions_and_places_with_several_breakpoints():
    at = f"{ENTRY + LOCK:x},1"
    machine, gdb = debugged(
        guest(), [f"Z0,{at};{rcx_is(5)}{rcx_is(9)}", f"Z1,{at};{rcx_is(7)}", *["c", "p2"] * 3, "k"]
    )
    machine.run(UNTIL)
    counts = [int(r[:2], 16) for r in gdb.replies if r.endswith("0" * 14) and len(r) == 16]
    assert counts == [5, 7, 9]
    kinds = [r.rsplit(";", 2)[1] for r in gdb.replies if r.startswith("T05")]
    assert kinds == ["swbreak:", "hwbreak:", "swbreak:"]


def test_what_was_said_last_counts():
    at = f"Z0,{ENTRY + LOCK:x},1"
    machine, gdb = debugged(
        guest(), [f"{at};{rcx_is(500)}", f"{at};{rcx_is(3)}", "c", "p2", at, "c", "p2", "k"]
    )
    machine.run(UNTIL)
    counts = [int(r[:2], 16) for r in gdb.replies if r.endswith("0" * 14) and len(r) == 16]
    assert counts == [3, 4]


def test_commands_are_executed_in_place_of_a_stop():
    commands = f"cmds:1,{print_rcx('n = %d;')}"
    machine, gdb = debugged(
        guest(),
        [f"Z0,{ENTRY + LOCK:x},1;{rcx_is(2)}{rcx_is(4)};{commands}",
         f"Z0,{ENTRY + STORE:x},1;{rcx_is(6)}", "c", "k"],
    )  # fmt: skip
    machine.run(UNTIL)
    assert said(gdb) == "n = 2;n = 4;"
    assert stops(gdb) == [(1, STORE)]


def test_a_step_onto_commands_executes_them_once():
    commands = f"cmds:0,{print_rcx('n = %d;')}"
    machine, gdb = debugged(guest(), [f"Z0,{ENTRY + LOCK:x},1;{commands}", "s", "s", "s", "k"])
    machine.run(UNTIL)
    assert stops(gdb) == [(1, LOCK), (1, STORE), (1, SAME)]
    assert said(gdb) == "n = 1;"


def test_commands_that_cannot_go_on_say_so():
    broken = expression(Op.CONST8, 0, Op.REF8, Op.POP, Op.CONST64, b"\xff" * 8, Op.REF8)
    machine, gdb = debugged(
        guest(), [f"Z0,{ENTRY:x},1;cmds:0,{broken}", f"Z0,{ENTRY + JMP:x},1", "c", "k"]
    )
    machine.run(UNTIL)
    assert said(gdb) == f"commands of the breakpoint at {ENTRY:#x}: memory\n"


@pytest.mark.parametrize("tail", ["X1,27", "X2,0227", "X5,00", "X3,0127", "cmds:0,X1,99", "Y1,27"])
def test_code_that_cannot_be_executed_is_refused(tail):
    machine, gdb = debugged(guest(), [f"Z0,{ENTRY:x},1;{tail}", "k"])
    machine.run(UNTIL)
    assert gdb.replies[2] == "E16"


# -- tracepoints


def frames(machine):
    return machine._target.tracer.frames


def test_a_tracepoint_collects_without_a_stop():
    machine, gdb = debugged(
        guest(),
        ["QTinit", f"QTDP:1:{ENTRY + STORE:x}:E:0:3",
         f"QTDP:-1:{ENTRY + STORE:x}:R4M-1,5000,8", "QTStart",
         f"Z0,{ENTRY:x},1;{rcx_is(8)}", "c",
         "qTStatus", "QTFrame:2", "p2", "m5000,8", "p10", "k"],
    )  # fmt: skip
    machine.run(UNTIL)
    assert "tpasscount:1;tframes:3" in gdb.replies[-5]
    assert gdb.replies[-4:] == [
        "F2T1", "03" + "0" * 14, "03" + "0" * 14, (ENTRY + STORE).to_bytes(8, "little").hex()
    ]  # fmt: skip


@pytest.mark.parametrize("cpus", [1, 3])
def test_the_instructions_behind_a_tracepoint(cpus):
    """Those of the processor that was there, whatever others do."""
    at = f"{ENTRY + STORE:x}"
    machine, _ = debugged(
        guest(cpus),
        ["QTinit", f"QTDP:1:{at}:E:5:2:{rcx_is(4)}", f"QTDP:-1:{at}:SR4", "QTStart",
         "QTDisconnected:1", f"Z0,{ENTRY + ADD:x},1;{rcx_is(6)}", "c", "D"],
    )  # fmt: skip
    machine.run(UNTIL)
    found = [(f.pc - ENTRY, f.registers.get(X86_64.numbers["rcx"])) for f in frames(machine)]
    behind = [(SAME, 4), (ADD, 4), (JMP, 4), (INC, 4), (LOCK, 5)]
    if cpus == 1:
        assert found == [(STORE, None), *behind]
    else:
        assert sorted(found, key=str) == sorted([(STORE, None), *behind] * 2, key=str)
    assert not any(vcpu.single_steps for vcpu in machine.vcpus)


def test_steps_of_one_hit_go_on_behind_a_stop():
    at = f"{ENTRY + LOCK:x}"
    machine, gdb = debugged(
        guest(), ["QTinit", f"QTDP:1:{at}:E:8:1:{rcx_is(1)}", "QTStart", f"Z0,{ENTRY + ADD:x},1",
                  "c", "s", "c", "qTStatus", "k"]
    )  # fmt: skip
    machine.run(UNTIL)
    assert stops(gdb) == [(1, ADD), (1, JMP), (1, ADD)]
    assert "tpasscount:1;tframes:9;" in gdb.replies[-1]
    order = [LOCK, STORE, SAME, ADD, JMP, INC, LOCK, STORE, SAME]
    assert [f.pc - ENTRY for f in frames(machine)] == order


def test_a_timestamp_is_virtual_time():
    stamp = expression(Op.TRACEV, 0, 1)
    machine, _ = debugged(
        guest(), ["QTinit", f"QTDP:1:{ENTRY:x}:E:0:0:{rcx_is(100)}", f"QTDP:-1:{ENTRY:x}:{stamp}",
                  "QTStart", "QTDisconnected:1", "D"]
    )  # fmt: skip
    machine.run(UNTIL)
    (frame,) = frames(machine)
    assert 0 <= 600 - frame.variables[1] <= 600


# -- the run is the same


SCRIPTS = {
    "a false condition": [f"Z0,{ENTRY + LOCK:x},1;{rcx_is(65535)}", "c"],
    "conditions": [f"Z0,{ENTRY + LOCK:x},1;{rcx_is(30)}{rcx_is(40)}", "c", "s", "c", "s", "s"],
    "commands": [f"Z0,{ENTRY + LOCK:x},1;{rcx_is(9)};cmds:0,{print_rcx('%d')}", "c"],
    "tracepoints": ["QTinit", f"QTDP:1:{ENTRY + LOCK:x}:E:0:0",
                    f"QTDP:-1:{ENTRY + LOCK:x}:RffM4,0,8", "QTDisconnected:1", "QTStart", "c"],
    "steps of tracepoints": ["QTinit", f"QTDP:1:{ENTRY + LOCK:x}:E:7:9", "QTDisconnected:1",
                             "QTStart", "c"],
    "watchpoints": ["Z2,5000,8", "Z3,5010,8", "Z4,5020,40", "Z2,5000,20000", *["c"] * 20],
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("cpus", [1, 3])
def test_the_run_is_the_same_as_without_a_debugger(cpus, script):
    alone, watched = guest(cpus), guest(cpus)
    run(alone)
    machine, gdb = debugged(watched, script)
    run(machine)
    assert not [reply for reply in gdb.replies if reply.startswith("E")]
    assert (watched.now, watched.retired) == (alone.now, alone.retired)
    assert watched.state_hash() == alone.state_hash()


# -- watched memory


def watches(gdb):
    return [
        [tuple(part.split(":")) for part in reply[3:].split(";") if "watch" in part]
        for reply in gdb.replies
        if reply.startswith("T05")
    ]


def test_a_value_that_stays_is_no_reason_to_stop():
    machine, gdb = debugged(guest(), ["Z2,5020,8", "c", "c", "k"])
    machine.run(1000)
    assert stops(gdb) == [(1, ADD)]


def test_a_read_is_one_even_of_an_instruction_that_also_writes():
    machine, gdb = debugged(guest(), ["Z3,5030,1", "c", "k"])
    machine.run(UNTIL)
    assert stops(gdb) == [(1, JMP)]
    assert watches(gdb) == [[("rwatch", "5030")]]


def test_addresses_are_those_within_what_is_watched():
    machine, gdb = debugged(
        guest(), ["Z2,5004,4", "Z2,4ff8,9", "c", "z2,4ff8,9", "Z2,500e,8000", "c", "k"]
    )
    machine.run(UNTIL)
    assert watches(gdb) == [[("watch", "5000")], [("watch", "5010")]]


def test_several_watchpoints_of_one_instruction():
    script = ["qSupported:multi-wp-addr+", "Z2,5010,1", "Z4,5014,1", "Z4,5016,2", "c", "k"]
    machine, gdb = debugged(guest(), script)
    machine.run(UNTIL)
    assert watches(gdb) == [[("watch", "5010"), ("awatch", "5014"), ("awatch", "5016")]]


def test_a_gdb_that_takes_one_address_at_a_time_gets_them_all():
    script = ["Z2,5010,1", "Z4,5014,1", "Z4,5016,2", "c", "z4,5014,1", "c", "c", "k"]
    machine, gdb = debugged(guest(), script)
    machine.run(UNTIL)
    assert watches(gdb) == [[("watch", "5010")], [("awatch", "5016")], [("watch", "5010")]]
    assert stops(gdb) == [(1, SAME)] * 3


def test_one_address_stands_for_all_watchpoints_it_is_in():
    script = ["Z2,500e,8", "Z4,5010,8", "Z4,5012,100", "c", "k"]
    machine, gdb = debugged(guest(), script)
    machine.run(UNTIL)
    assert watches(gdb) == [[("watch", "5012")]]


def test_more_watchpoints_than_any_processor_has():
    script = [f"Z2,{0x5100 + 8 * n:x},8" for n in range(400)]
    machine, gdb = debugged(guest(), [*script, "Z2,5010,8", "c", "k"])
    machine.run(UNTIL)
    assert watches(gdb) == [[("watch", "5010")]]


def test_what_a_device_writes_is_seen():
    machine = guest()
    machine.events.at(machine.now + 200, lambda: machine.write(0x5104, b"ab"))
    debugger, gdb = debugged(machine, ["Z2,5100,8", "c", "m5104,2", "k"])
    debugger.run(UNTIL)
    assert watches(gdb) == [[("watch", "5104")]]
    assert gdb.replies[-1] == b"ab".hex()
    assert machine.now < 1000


def test_what_the_hosted_kernel_writes_is_seen():
    machine = long_mode_machine("mov edx, 0x77\n out dx, al\n nop\n hlt")
    machine.hostcall_port = 0x77
    debugger, gdb = debugged(machine, ["Z2,5101,1", "Z4,5200,4", "c", "m5101,1", "c", "c"])
    assert debugger.run(UNTIL).reason is ExitReason.HOSTCALL
    assert watches(gdb) == []
    machine.write(0x5100, struct.pack("<I", 0x1234))
    machine.write(0x5101, b"\x12")  # the same again
    machine.write(0x5203, b"q")
    debugger.run(UNTIL)
    assert watches(gdb) == [[("watch", "5101")], [("awatch", "5203")]]
    assert gdb.replies[5] == "12"


def test_nothing_listens_when_nothing_is_watched():
    machine = guest()
    debugger, _ = debugged(machine, ["Z2,5010,8", "c", "z2,5010,8", "c"])
    debugger.run(2000)
    debugger.run(4000)
    assert machine.write_seen is None
