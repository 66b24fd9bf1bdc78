"""Delivery of interrupts and exceptions, against what Bochs printed; double and triple faults."""

from __future__ import annotations

import struct

import pytest

from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import ENTRY, assemble, long_mode_machine
from tests.privileged import cases, log, recorded

IDT, GDT, HANDLER = 0x5000, 0x6000, 0x8000
EVERYTHING_ELSE = ".*"


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p in ("protected", "long") for n in cases(p, EVERYTHING_ELSE)]
)
def test_every_case_of_the_boot_programs(program, name):
    assert log(program)[name] == recorded(program)[name]


def with_gates(source: str, gates: dict[int, int], handlers: str = "hlt") -> Machine:
    """A 64-bit machine with an IDT; `gates`: vector → access byte of a gate to HANDLER."""
    machine = long_mode_machine(source)
    machine.write(HANDLER, assemble(handlers, origin=HANDLER))
    machine.write(GDT, struct.pack("<3Q", 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF))
    for vector, access in gates.items():
        machine.write(IDT + 16 * vector, struct.pack("<HHBBHQ", HANDLER, 8, 0, access, 0, 0))
    vcpu = machine.vcpus[0]
    for name, value in (("gdtr.base", GDT), ("gdtr.limit", 23), ("idtr.base", IDT),
                        ("idtr.limit", 0xFFF)):  # fmt: skip
        vcpu.write_register(name, value)
    return machine


def test_triple_fault_tells_the_chain():
    machine = with_gates("mov eax, [0x40000000]", {14: 0x0E, 8: 0x0E})
    end = machine.run(1000)
    assert end.reason is ExitReason.SHUTDOWN
    assert [(f.vector, f.error) for f in end.faults] == [
        (14, 0), (11, 14 << 3 | 3), (11, 8 << 3 | 3),
    ]  # fmt: skip
    assert {f.rip for f in end.faults} == {ENTRY}
    assert end.faults[0].address == 0x4000_0000
    assert machine.vcpus[0].read_register("cr2") == 0x4000_0000
    assert machine.vcpus[0].activity == "shutdown"


@pytest.mark.parametrize(
    ("source", "gates", "expected"),
    [
        # benign, then contributory: one after the other
        ("ud2", {6: 0x0E, 11: 0x8E}, 11 << 3),
        # contributory, then contributory: double fault
        ("mov ds, ecx", {13: 0x0E, 11: 0x8E, 8: 0x8E}, 8 << 3),
        # page fault, then contributory: double fault
        ("mov eax, [0x40000000]", {14: 0x0E, 11: 0x8E, 8: 0x8E}, 8 << 3),
    ],
)
def test_which_faults_make_a_double_fault(source, gates, expected):
    handler = "jmp [rip + 0]"  # never reached: each vector has a handler of its own below
    machine = with_gates(f"mov ecx, 0x1000\n{source}", gates, handler)
    for vector, access in gates.items():
        code = HANDLER + 16 * vector
        machine.write(code, assemble(f"mov ebx, {vector << 3}\nhlt", origin=code))
        machine.write(IDT + 16 * vector, struct.pack("<HHBBHQ", code, 8, 0, access, 0, 0))
    machine.run(1000)
    assert machine.vcpus[0].read_register("rbx") == expected


def test_a_handler_that_faults_for_ever_uses_up_time():
    machine = with_gates("ud2", {6: 0x8E}, "mov rsp, 0x300000\n.byte 0x0F, 0x0B")
    end = machine.run(10_000)
    assert end.reason is ExitReason.BUDGET
    machine = with_gates("ud2", {6: 0x8E}, "ud2")
    assert machine.run(10_000_000).reason is ExitReason.SHUTDOWN  # the stack runs out of memory


def test_real_mode_vectors():
    machine = Machine(1 << 20)
    machine.write(0x80 * 4, struct.pack("<HH", 0x10, 0x800))
    machine.write(0x7C00, bytes.fromhex("fbf9cd80f4"))  # sti; stc; int 80h; hlt
    machine.write(0x8010, bytes.fromhex("f4"))
    vcpu = machine.vcpus[0]
    for name, value in (("cs", 0), ("cs.base", 0), ("rip", 0x7C00), ("rsp", 0x7000)):
        vcpu.write_register(name, value)
    machine.run(1000)
    assert (vcpu.read_register("cs"), vcpu.read_register("rip")) == (0x800, 0x11)
    assert struct.unpack("<HHH", machine.read(0x6FFA, 6)) == (0x7C04, 0, 0x203)
    assert vcpu.read_register("rflags") & 0x300 == 0


def test_nmi_waits_for_iret():
    source = """
    1:  jmp 1b
    """
    handler = """
        inc ebx
        cmp ebx, 2
        je 3f
        mov ecx, 100
    2:  loop 2b
        iretq
    3:  hlt
    """
    machine = with_gates(source, {2: 0x8E}, handler)
    machine.run(100)
    lapic = machine.apics.local[0]
    lapic.accept(0, mode=4)
    machine.run(150)
    assert machine.vcpus[0].read_register("rbx") == 1
    lapic.accept(0, mode=4)
    machine.run(200)
    assert machine.vcpus[0].read_register("rbx") == 1  # still inside the first
    machine.run(1000)
    assert machine.vcpus[0].read_register("rbx") == 2


@pytest.mark.parametrize(("before", "shadowed"), [("cli\nsti", True), ("sti\nsti", False)])
def test_sti_shadow(before, shadowed):
    source = f"sti\nnop\n{before}\nmov ebx, 1\nmov ebx, 2\nhlt"
    machine = with_gates(source, {0x40: 0x8E})
    vcpu = machine.vcpus[0]
    machine.step_vcpu(0, 4)
    lapic = machine.apics.local[0]
    lapic.write(0xF0, 4, 0x1FF)
    lapic.accept(0x40)
    machine.run(1000)
    assert vcpu.read_register("rbx") == (1 if shadowed else 0)
