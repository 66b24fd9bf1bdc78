"""Breakpoints, conditions and watchpoints in the address space they are meant in.

Two processes have code and data at the same linear addresses: `family` and `sibling` of `guests/`.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from gdbstub.agent import Op
from gdbstub.signals import NUMBERS
from images import prebuilt
from pykern.debug.os_view.tasks import KERNEL_PID
from tests.pykern.debug.debugged_system import SAME, SAME_DATA, play, symbol
from tests.pykern.debug.test_agent import expression, number, said
from tests.pykern.debug.test_os_view import assert_same_run

PARENT, CHILD = "p1.1", "p3.3"


def equals(register, value):
    """Return an expression: a register is so much."""
    return expression(Op.REG, number(register), Op.CONST16, value.to_bytes(2, "big"), Op.EQUAL)


def total_is(value):
    """Return an expression: the word at `SAME_DATA` is so much."""
    address = (Op.CONST32, SAME_DATA.to_bytes(4, "big"))
    return expression(*address, Op.REF32, Op.CONST16, value.to_bytes(2, "big"), Op.EQUAL)


def run(gdb, parent=(), child=()):
    """Say something when a process is there, and go on to the end; yield requests."""
    yield "vCont;c"
    yield from in_process(PARENT, parent)
    while "exec" not in gdb.last:
        yield "vCont;c"
        yield from gdb.at_stop()
    yield from in_process(CHILD, child)
    while True:
        before = len(gdb.replies)
        yield "vCont;c"
        if len(gdb.replies) == before or gdb.last.startswith("E"):
            return
        yield from gdb.at_stop()


def in_process(who, requests):
    """Yield requests for a process."""
    yield f"Hg{who}"
    yield from requests


def kernel_symbol(name):
    """Return the address of a symbol of the kernel's image."""
    listed = subprocess.run(["nm", prebuilt.kernel()], capture_output=True, text=True, check=True)
    return int(re.search(rf"^(\w+) \w {name}$", listed.stdout, re.MULTILINE)[1], 16)


def stops_of(gdb, kind):
    """Return who has stopped for a reason, in order."""
    return [re.search(r"thread:(\w+\.\w+);", stop)[1] for stop in gdb.stops if kind in stop]


@pytest.mark.parametrize(
    ("parent", "child", "hits"),
    [
        (f";{equals('rdi', 4)}", f";{equals('rdi', 2)}{equals('rdi', 7)}",
         [(PARENT, 4), (CHILD, 2), (CHILD, 7)]),
        (f";{equals('rdi', 99)}", "", [(CHILD, i) for i in range(1, 8)]),
        # What is at one address differs: 1 + 2 + 3 before work(4), 40 - 1 - 2 before rest(3).
        (f";{total_is(6)}", f";{total_is(37)}", [(PARENT, 4), (CHILD, 3)]),
        (f";{total_is(37)}", f";{total_is(6)}", []),
    ],
)  # fmt: skip
def test_a_condition_sees_the_process_it_was_set_in(parent, child, hits):
    seen = []

    def look(gdb):
        if "swbreak" in gdb.last:
            who = re.search(r"thread:(\w+\.\w+);", gdb.last)[1]
            yield "p5"
            seen.append((who, int(gdb.last[:2], 16)))

    def script(gdb):
        gdb.at_stop = lambda: look(gdb)
        yield from run(gdb, [f"Z0,{SAME:x},1{parent}"], [f"Z0,{SAME:x},1{child}"])

    _, gdb = play(script)
    assert "ConditionalBreakpoints+;BreakpointCommands+" in gdb.replies[0]
    assert sorted(seen) == sorted(hits)


def test_a_false_condition_is_the_cores_own_business(monkeypatch):
    """What does not hold never reaches Python."""
    asked = []

    def script(gdb):
        agent = gdb.session.target.execution.agent
        holds = agent.holds
        monkeypatch.setattr(agent, "holds", lambda *a: asked.append(1) or holds(*a))
        yield from run(gdb, child=[f"Z0,{SAME:x},1;{equals('rdi', 5)}"])

    _, gdb = play(script)
    assert stops_of(gdb, "swbreak") == [CHILD]
    assert len(asked) == 1


def test_commands_are_executed_in_one_process():
    text = b"n = %d;\0"
    code = expression(Op.REG, number("rdi"), Op.CONST8, 0, Op.CONST8, 0, Op.PRINTF, 1,
                      len(text).to_bytes(2, "big"), text)  # fmt: skip

    def script(gdb):
        yield from run(gdb, child=[f"Z0,{SAME:x},1;cmds:0,{code}"])

    _, gdb = play(script)
    assert said(gdb).partition("n = ")[2] == "1;n = 2;n = 3;n = 4;n = 5;n = 6;n = 7;"
    assert not stops_of(gdb, "swbreak")


@pytest.mark.parametrize(("who", "times"), [(PARENT, 6), (CHILD, 7)])
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_watchpoint_sees_the_process_it_was_set_in(who, times, cpus):
    def script(gdb):
        watch = [f"Z2,{SAME_DATA:x},4"]
        yield from run(gdb, **{"parent" if who == PARENT else "child": watch})

    _, gdb = play(script, cpus=cpus)
    assert stops_of(gdb, f"watch:{SAME_DATA:x}") == [who] * times


def test_both_watch_the_same_address():
    def script(gdb):
        watch = [f"Z2,{SAME_DATA:x},4"]
        yield from run(gdb, watch, watch)

    _, gdb = play(script)
    assert sorted(stops_of(gdb, f"watch:{SAME_DATA:x}")) == [PARENT] * 6 + [CHILD] * 7


def test_what_the_hosted_kernel_writes_is_seen_at_the_system_call():
    """wait4 stores the status; the program stands behind its SYSCALL, as with ptrace."""
    places = []

    def script(gdb):
        status = symbol("family", "ended")
        while "exec" not in gdb.last:
            yield "vCont;c"
        yield f"Hg{PARENT}"
        yield f"Z2,{status:x},4"
        while "watch" not in gdb.last:
            yield "vCont;c"
        assert f"thread:{PARENT};" in gdb.last
        yield "p10"
        rip = int.from_bytes(bytes.fromhex(gdb.last), "little")
        yield f"m{rip - 2:x},2"
        places.append(gdb.last)
        yield f"m{status:x},4"
        places.append(gdb.last)

    play(script)
    assert places == ["0f05", "000c0000"]


@pytest.mark.parametrize(
    ("who", "values", "steps"),
    [(PARENT, [1, 2, 3, 4, 5], 0), (CHILD, [1, 2, 3, 4, 5, 6, 7], 0), (CHILD, [3], 30)],
)
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_tracepoint_is_of_the_process_that_is_selected(who, values, steps, cpus):
    """With steps behind it, which are the program's alone: no system call, no other process."""
    condition = f":{equals('rdi', 3)}" if steps else ""
    trace = ["QTinit", f"QTDP:1:{SAME:x}:E:{steps:x}:0{condition}", f"QTDP:-1:{SAME:x}:R20",
             "QTStart"]  # fmt: skip

    def script(gdb):
        yield f"QPassSignals:{NUMBERS['SIGUSR1']:x}"
        yield from run(gdb, **{"parent" if who == PARENT else "child": ["p0", *trace]})

    system, gdb = play(script, cpus=cpus)
    assert not [reply for reply in gdb.replies if reply.startswith("E.")]
    found = system.target.tracer.frames
    assert [f.registers[5] for f in found if 5 in f.registers] == values
    behind = [f.pc for f in found if 5 not in f.registers]
    assert len(behind) == steps
    assert behind[:1] == ([SAME + 6] if steps else [])  # sub %edi, left(%rip)
    assert all(pc < 1 << 47 for pc in behind)
    assert_same_run(system, cpus)


@pytest.mark.parametrize(("value", "hits"), [(0, 1), (1, 0)])
def test_a_condition_reads_a_page_that_was_never_touched(value, hits):
    code = expression(Op.REG, number("rsi"), Op.REF32, Op.CONST8, value, Op.EQUAL)

    def script(gdb):
        where = symbol("family", "finished")
        yield from run(gdb, [f"Z0,{where:x},1;{code}"])

    _, gdb = play(script)
    assert len(stops_of(gdb, "swbreak")) == hits


def test_a_condition_in_the_kernel_for_all_processes_and_for_one():
    exits, kernel = kernel_symbol("sys_exit_group"), f"p{KERNEL_PID:x}.{KERNEL_PID:x}"

    def script(gdb):
        of_all = [f"Hg{kernel}", f"Z0,{exits:x},1;{equals('rdi', 12)}"]
        yield from run(gdb, [f"Z1,{exits:x},1"], of_all)

    _, gdb = play(script)
    assert stops_of(gdb, "swbreak") == [kernel]
    assert not stops_of(gdb, "hwbreak")


def stores(parent):
    """Return a script that does something at the store of `work`, which copies a page at first."""

    def script(gdb):
        yield f"QPassSignals:{NUMBERS['SIGUSR1']:x}"
        yield from run(gdb, parent)

    return script


STORE = SAME + 8
"""In `work`: mov %eax, total(%rip)"""


@pytest.mark.parametrize("cpus", [1, 2])
def test_an_instruction_that_faults_is_hit_once(cpus):
    """fork has left the page to both, so the first store faults, and is executed again."""
    system, gdb = play(stores([f"Z0,{STORE:x},1"]), cpus=cpus)
    assert stops_of(gdb, "swbreak") == [PARENT] * 5
    assert_same_run(system, cpus)
    trace = ["p0", "QTinit", f"QTDP:1:{STORE:x}:E:0:0", f"QTDP:-1:{STORE:x}:R20", "QTStart"]
    system, gdb = play(stores(trace), cpus=cpus)
    frames = system.target.tracer.frames
    assert [frame.registers[5] for frame in frames] == [1, 2, 3, 4, 5]
    assert not system.machine.vcpus[0].single_steps


def test_a_page_that_is_not_there_when_it_is_executed_hides_no_breakpoint():
    """`finished` is on a page with others, `rest` on one of its own: its first fetch faults."""

    def script(gdb):
        yield from run(gdb, child=[f"Z0,{SAME:x},1"])

    _, gdb = play(script)
    assert stops_of(gdb, "swbreak") == [CHILD] * 7
