"""What a processor has executed, as blocks, beside what single steps see."""

from __future__ import annotations

import pytest

from gdbstub import Action
from pykern.debug.execution import Execution, thread_of
from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine

PROGRAM = """
1:  call 2f
    dec ecx
    jnz 1b
    mov ecx, 3
    rep stosb
    jmp .
2:  nop
    jmp 3f
    int3
3:  ret
"""


@pytest.fixture
def machine():
    made = long_mode_machine(PROGRAM)
    made.vcpus[0].write_register("rcx", 2)
    made.vcpus[0].write_register("rdi", 0x5000)
    return made


def stepped(machine, count):
    """Return the addresses of the instructions that single steps see."""
    machine.vcpus[0].single_steps = True
    places = []
    while len(places) < count:
        assert machine.run().reason is ExitReason.HOOK
        places.append(machine.vcpus[0].read_register("rip"))
    return places


def run(machine, execution, until_ns):
    execution.prepare({thread_of(0): Action()})
    while machine.now < until_ns:
        execution.run(until_ns, lambda: None)


def test_blocks_are_what_was_executed(machine):
    execution = Execution(machine)
    execution.trace_branches(0, 100)
    run(machine, execution, 18)
    blocks = execution.branches[0].blocks()[::-1]
    call, behind, target, back = ENTRY, ENTRY + 5, ENTRY + 18, ENTRY + 22
    loop = [(target, target + 1), (back, back)]
    assert blocks[:4] == [(call, call), *loop, (behind, behind + 2)]
    assert blocks[4:7] == [(call, call), *loop]
    last = blocks[7]
    assert last == (behind, ENTRY + 16), "a block may go on through a REP"
    assert set(blocks[8:]) <= {(ENTRY + 16, ENTRY + 16)}, "a branch to itself is a block each time"

    again = long_mode_machine(PROGRAM)
    again.vcpus[0].write_register("rcx", 2)
    again.vcpus[0].write_register("rdi", 0x5000)
    places = set(stepped(again, 12))
    assert {begin for begin, _ in blocks[:7]} <= places


def test_only_the_newest_are_kept(machine):
    execution = Execution(machine)
    execution.trace_branches(0, 2)
    run(machine, execution, 40)
    assert len(execution.branches[0].blocks()) == 3, "two that are over, and the present one"
    execution.trace_branches(0, 0)
    assert not machine.vcpus[0].single_steps


def test_recording_changes_nothing(machine):
    alone = long_mode_machine(PROGRAM)
    alone.vcpus[0].write_register("rcx", 2)
    alone.vcpus[0].write_register("rdi", 0x5000)
    alone.run(200)
    execution = Execution(machine)
    execution.trace_branches(0, 100)
    run(machine, execution, 200)
    execution.forget()
    assert machine.state_hash() == alone.state_hash()
