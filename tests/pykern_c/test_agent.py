"""Conditions in the core: the same as the library's evaluator says, and without harm."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gdbstub import agent
from gdbstub.agent import Op
from gdbstub.x86 import X86_64
from pykern.debug.agent import ProcessorContext
from pykern.debug.registers import place_name
from pykern_c.agent import MOST_STEPS, STACK_DEPTH, AgentCondition, AgentError
from pykern_c.exits import ExitReason
from pykern_c.vcpu import register_place
from tests.guest import ENTRY, long_mode_machine

NAMES = [place_name(register.name) for register in X86_64.registers]
NUMBERS = X86_64.numbers
WORD = (1 << 64) - 1


@pytest.fixture(scope="module")
def machine():
    guest = long_mode_machine("nop")
    guest.write(0x5000, bytes(range(1, 65)))
    guest.write(0x7FFFF8, b"\xee" * 8)
    cpu = guest.vcpus[0]
    for number, name in enumerate(("rax", "rbx", "rcx", "rdx", "rsi")):
        cpu.write_register(name, (0x5000, WORD, 1 << 63, 3, 0x7FFFFC)[number])
    cpu.write_register("rflags", 0x8D7)
    return guest


def by_core(machine, code):
    try:
        return AgentCondition([code], NAMES).evaluate(machine.vcpus[0])
    except AgentError as error:
        return str(error)


def by_library(machine, code):
    context = ProcessorContext(machine, machine.vcpus[0], X86_64, {}, lambda _text: None)
    try:
        value = agent.evaluate(code, context)
    except agent.AgentError as error:
        return str(error)
    return "stack" if value is None else value


def const(value):
    return bytes((Op.CONST64,)) + (value & WORD).to_bytes(8, "big")


_SHARED = [
    op for op in Op
    if op not in {Op.TRACE, Op.TRACE_QUICK, Op.GETV, Op.SETV, Op.TRACEV, Op.TRACENZ, Op.TRACE16,
                  Op.PRINTF}
]  # fmt: skip
_LEFT_TO_THE_LIBRARY = {
    number
    for number, register in enumerate(X86_64.registers)
    if register.bits <= 64
    and NAMES[number] not in {"rflags", "linear_pc"}
    and register_place(NAMES[number]) is None
}
"""Registers that the core computes, and an expression there cannot have."""
_NUMBERS = sorted(set(range(len(NAMES) + 2)) - _LEFT_TO_THE_LIBRARY)
_VALUES = st.sampled_from([0, 1, 2, 63, 64, 0x5000, 0x503F, 0x7FFFFC, 0x800000, WORD, 1 << 63])
_WORDS = (
    (_VALUES | st.integers(0, WORD)).map(const)
    | st.sampled_from(_NUMBERS).map(lambda n: bytes((Op.REG, 0, n)))
    | st.sampled_from(_SHARED).map(lambda op: bytes((op,)))
    | st.tuples(
        st.sampled_from([Op.EXT, Op.ZERO_EXT]), st.sampled_from([0, 1, 8, 31, 64, 255])
    ).map(bytes)
    | st.tuples(st.sampled_from([Op.GOTO, Op.IF_GOTO]), st.just(0), st.integers(0, 40)).map(bytes)
    | st.tuples(st.just(Op.PICK), st.integers(0, 3)).map(bytes)
)
_PROGRAMS = st.lists(_WORDS, max_size=24).map(lambda words: b"".join(words) + bytes((Op.END,)))


@settings(max_examples=600, deadline=None)
@given(_PROGRAMS)
@example(const(1 << 63) + const(WORD) + bytes((Op.DIV_SIGNED, Op.END)))
@example(const(1 << 63) + const(WORD) + bytes((Op.REM_SIGNED, Op.END)))
@example(const(0x7FFFFC) + bytes((Op.REF64, Op.END)))
@example(bytes((Op.GOTO, 0, 0)))
@example((const(1) + bytes((Op.DUP,))) * 60 + bytes((Op.END,)))
def test_core_and_library_agree(machine, code):
    before = machine.state_hash()
    assert by_core(machine, code) == by_library(machine, code)
    assert machine.state_hash() == before


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_they_agree_on_noise(machine, code):
    if {Op.TRACE, Op.TRACE_QUICK, Op.GETV, Op.SETV, Op.TRACEV, Op.TRACENZ, Op.TRACE16,
            Op.PRINTF} & set(code):  # fmt: skip
        by_core(machine, code)
        return
    assert by_core(machine, code) == by_library(machine, code)


def test_registers_have_gdbs_numbers(machine):
    cpu = machine.vcpus[0]
    for name in ("rax", "rsp", "rip", "eflags", "cs", "fs_base", "cr3", "mxcsr"):
        number = NUMBERS[name]
        core = {"eflags": "rflags", "fs_base": "fs.base"}.get(name, name)
        assert by_core(machine, bytes((Op.REG, 0, number, Op.END))) == cpu.read_register(core)
    assert by_core(machine, bytes((Op.REG, 0, NUMBERS["xmm0"], Op.END))) == "register"
    assert by_core(machine, bytes((Op.REG, 255, 255, Op.END))) == "register"


def test_what_the_core_computes_is_left_to_the_library(machine):
    assert {X86_64.registers[n].name for n in _LEFT_TO_THE_LIBRARY} == {
        "ftag", "orig_rax", "cr8", "apic_base", "cpl", "mode",
    }  # fmt: skip
    for number in _LEFT_TO_THE_LIBRARY:
        assert by_core(machine, bytes((Op.REG, 0, number, Op.END))) == "register"


def test_limits_are_the_librarys():
    assert (STACK_DEPTH, MOST_STEPS) == (agent.STACK_DEPTH, agent.MOST_STEPS)


COUNT = "1: inc rcx\n inc rdx\n jmp 1b"


def rcx_is(value):
    return (
        bytes((Op.REG, 0, NUMBERS["rcx"], Op.CONST16))
        + value.to_bytes(2, "big")
        + bytes((Op.EQUAL, Op.END))
    )


def test_a_hook_with_a_false_condition_changes_nothing():
    hooked, plain = long_mode_machine(COUNT), long_mode_machine(COUNT)
    condition = AgentCondition([rcx_is(9999)], NAMES)
    hooked.add_hook(None, kinds="x", first=ENTRY + 3, condition=condition)
    for machine in (hooked, plain):
        assert machine.run(3000).reason is ExitReason.BUDGET
    assert hooked.state_hash() == plain.state_hash()
    assert (condition.tested, condition.held) == (1000, 0)


def test_a_hook_is_served_when_one_of_its_conditions_holds():
    machine = long_mode_machine(COUNT)
    condition = AgentCondition([rcx_is(70), rcx_is(50)], NAMES)
    machine.vcpus[0].write_register("rdx", 0)
    machine.add_hook(None, kinds="x", first=ENTRY + 3, condition=condition)
    for count in (50, 70):
        assert machine.run(3000).reason is ExitReason.HOOK
        assert machine.vcpus[0].read_register("rcx") == count
        assert machine.vcpus[0].read_register("rdx") == count - 1
    assert machine.run(3000).reason is ExitReason.BUDGET


def test_a_condition_that_cannot_be_evaluated_holds():
    machine = long_mode_machine(COUNT)
    broken = AgentCondition([bytes((Op.ADD,))], NAMES)
    machine.add_hook(None, kinds="x", first=ENTRY + 3, condition=broken)
    assert machine.run(3000).reason is ExitReason.HOOK


def test_several_hooks_of_one_instruction_are_each_served_once():
    machine = long_mode_machine(COUNT)
    seen = []
    for name in "ab":
        machine.add_hook(lambda _vcpu, name=name: seen.append(name), kinds="x", first=ENTRY + 3)
    last = machine.add_hook(None, kinds="x", first=ENTRY + 3)
    exit_ = machine.run(3000)
    assert (exit_.reason, exit_.code, seen) == (ExitReason.HOOK, last, ["a", "b"])
    assert machine.run(3000).reason is ExitReason.HOOK
    assert machine.vcpus[0].read_register("rcx") == 2


def test_a_hook_of_another_address_space_is_not_served():
    machine = long_mode_machine(COUNT)
    cr3 = machine.vcpus[0].read_register("cr3")
    machine.add_hook(None, kinds="x", first=ENTRY + 3, space=cr3 + 0x1000)
    assert machine.run(3000).reason is ExitReason.BUDGET
    machine.add_hook(None, kinds="x", first=ENTRY + 3, space=cr3 | 0x18)
    assert machine.run(6000).reason is ExitReason.HOOK


def test_single_steps_are_the_same_run():
    stepped, plain = long_mode_machine(COUNT), long_mode_machine(COUNT)
    stepped.vcpus[0].single_steps = True
    places = []
    while stepped.run(300).reason is ExitReason.HOOK:
        places.append(stepped.vcpus[0].read_register("rip") - ENTRY)
    plain.run(300)
    assert places[:4] == [0, 3, 6, 0]
    assert len(places) == 300
    assert stepped.state_hash() == plain.state_hash()


def test_steps_and_a_hook_at_the_same_instruction():
    """Each sees it, and then it is executed as it stands: the hook's notes are no operand of it."""
    machine = long_mode_machine("1: mov eax, 0x12345678\njmp 1b")
    cpu = machine.vcpus[0]
    machine.run(20)
    hook = machine.add_hook(None, kinds="x", first=ENTRY)
    assert machine.run().code == hook
    cpu.write_register("rax", 0)
    cpu.single_steps = True
    seen = []
    while len(seen) < 6:
        exit_ = machine.run()
        seen.append((exit_.code, cpu.read_register("rip") - ENTRY, cpu.read_register("rax")))
    assert seen[:2] == [(0, 0, 0), (0, 5, 0x1234_5678)]
    assert {(code, place) for code, place, _ in seen} == {(0, 0), (hook, 0), (0, 5)}


BRANCHES = """
1:  nop
    jmp 2f
    nop
2:  call 3f
    jmp 1b
3:  inc rcx
    lea rax, [rip + 4f]
    jmp rax
    nop
4:  ret
"""


def test_single_steps_stop_behind_branches_of_hot_code():
    stepped, plain = long_mode_machine(BRANCHES), long_mode_machine(BRANCHES)
    for machine in (stepped, plain):
        machine.run(5000)
    cpu = stepped.vcpus[0]
    cpu.single_steps = True
    retired = []
    while stepped.run(5100).reason is ExitReason.HOOK:
        retired.append(cpu.retired)
    plain.run(5100)
    assert retired == list(range(5000, 5100))
    assert stepped.state_hash() == plain.state_hash()


def with_handler(source, vector):
    """Return a machine with a handler for one vector at ENTRY + 100h."""
    machine = long_mode_machine(source)
    handler = ENTRY + 0x100
    gate = struct.pack("<HHHHI4x", handler & 0xFFFF, 8, 0x8E00, handler >> 16, 0)
    machine.write(0x6000 + 16 * vector, gate)
    machine.write(0x7000, struct.pack("<3Q", 0, 0xAF9B << 40 | 0xFFFF, 0xCF93 << 40 | 0xFFFF))
    cpu = machine.vcpus[0]
    for name, value in (("idtr.base", 0x6000), ("idtr.limit", 0xFFF), ("gdtr.base", 0x7000),
                        ("gdtr.limit", 23), ("rbx", 0), ("rcx", 0), ("rdx", 0)):  # fmt: skip
        cpu.write_register(name, value)
    return machine, cpu


def test_the_guests_own_single_steps_do_too():
    """TF: a trap behind each instruction."""
    machine, cpu = with_handler(BRANCHES + ".org 0x100\n iretq", 1)
    machine.run(5000)
    trapped = []
    machine.add_hook(
        lambda vcpu, *_: trapped.append(vcpu.read_register("rip") - ENTRY), kinds="int", first=1
    )
    cpu.write_register("rflags", 0x102)
    machine.run(5100)
    assert len(trapped) > 24
    assert trapped[:24] == [1, 4, 11, 14, 21, 24, 9, 0] * 3


def test_no_interrupt_comes_between_sti_and_a_hooked_instruction():
    """SDM Vol. 2B, STI: interrupts are taken behind the instruction that follows."""
    source = "1: cli\n inc rcx\n sti\n inc rdx\n jmp 1b\n.org 0x100\n"
    handler = "cmp rcx, rdx\n je 2f\n inc rbx\n2: iretq"
    runs = []
    for hooked in (False, True):
        machine, cpu = with_handler(source + handler, 0x40)
        machine.virtual_wire()
        if hooked:
            machine.add_hook(lambda _vcpu: None, kinds="x", first=ENTRY + 5)
        for ns in range(50, 1000, 7):
            machine.events.at(machine.now + ns, lambda cpu=cpu: cpu.inject(0x40))
        machine.run(1500)
        runs.append((machine.state_hash(), cpu.read_register("rbx"), cpu.read_register("rcx")))
    assert runs[0] == runs[1]
    assert runs[0][1] == 0
    assert runs[0][2] > 100
