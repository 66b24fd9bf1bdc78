"""Repeated string instructions: overlaps, page ends, interruption, devices and code as operands."""

from __future__ import annotations

import pytest

from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import ENTRY, assemble, long_mode_machine, page_entry

DATA = 0x20_0000
SUFFIXES = {1: "b", 2: "w", 4: "d", 8: "q"}


def machine_with(
    instruction: str, *, source: int = 0, destination: int = 0, count: int = 0, accumulator: int = 0
) -> Machine:
    """Make a machine that stands before one instruction and a HLT."""
    machine = long_mode_machine(f"{instruction}\nhlt")
    write = machine.vcpus[0].write_register
    for name, value in zip(
        ("rsi", "rdi", "rcx", "rax"), (source, destination, count, accumulator), strict=True
    ):
        write(name, value)
    return machine


def registers(machine: Machine) -> tuple[int, int, int]:
    read = machine.vcpus[0].read_register
    return read("rsi"), read("rdi"), read("rcx")


def pattern(size: int) -> bytes:
    return bytes((7 * i + i // 251) & 0xFF for i in range(size))


def moved(memory: bytes, source: int, destination: int, count: int, size: int, step: int) -> bytes:
    """Move element by element, as the SDM's operation says."""
    result = bytearray(memory)
    for i in range(count):
        at, to = source + i * step, destination + i * step
        result[to : to + size] = result[at : at + size]
    return bytes(result)


# -------------------------------------------------------------------------------------------------
# What is moved


@pytest.mark.parametrize("size", SUFFIXES)
@pytest.mark.parametrize("down", [False, True])
def test_overlapping_moves_are_those_of_single_elements(size: int, down: bool) -> None:
    count, step = 900, -size if down else size
    machine = machine_with(f"{'std' if down else 'cld'}\nrep movs{SUFFIXES[size]}")
    write = machine.vcpus[0].write_register
    memory = pattern(0x8000)
    for distance in (-4097, -4096, -513, -17, *range(-9, 10), 17, 513, 4096, 4097):
        source = 0x5803 if down else 0x2803
        machine.write(DATA, memory)
        machine.vcpus[0].activate()
        write("rip", ENTRY)
        write("rsi", DATA + source)
        write("rdi", DATA + source + distance)
        write("rcx", count)
        assert machine.vcpus[0].step(10_000).reason is ExitReason.HLT
        expected = moved(memory, source, source + distance, count, size, step)
        assert machine.read(DATA, len(memory)) == expected, f"distance {distance}"


@pytest.mark.parametrize("size", SUFFIXES)
@pytest.mark.parametrize("down", [False, True])
def test_stores_fill_exactly_their_elements(size: int, down: bool) -> None:
    value = 0x1122_3344_5566_7788
    machine = machine_with(
        f"{'std' if down else 'cld'}\nrep stos{SUFFIXES[size]}",
        destination=DATA + 0x4003,
        count=1500,
        accumulator=value,
    )
    assert machine.run().reason is ExitReason.HLT
    low = 0x4003 - (1499 * size if down else 0)
    expected = bytearray(0x8000)
    expected[low : low + 1500 * size] = value.to_bytes(8, "little")[:size] * 1500
    assert machine.read(DATA, 0x8000) == expected


def test_pages_that_are_rivals_in_the_tlb_are_moved_in_bulk() -> None:
    distance = (1 << 21) + (1 << 12)
    machine = machine_with("rep movsb", source=DATA, destination=DATA + distance, count=0x3000)
    machine.write(DATA, pattern(0x3000))
    assert machine.run().reason is ExitReason.HLT
    assert machine.read(DATA + distance, 0x3000) == pattern(0x3000)


@pytest.mark.parametrize(
    ("instruction", "place", "left"),
    [("repe cmpsb", 0x1234, 0x2000 - 0x1235), ("repne scasb", 0x1234, 0x2000 - 0x1235)],
)
def test_comparisons_stop_behind_the_element(instruction: str, place: int, left: int) -> None:
    machine = machine_with(
        instruction, source=DATA + 0x4000, destination=DATA, count=0x2000, accumulator=0x55
    )
    machine.write(DATA + place, b"\x55")
    assert machine.run().reason is ExitReason.HLT
    assert registers(machine)[1:] == (DATA + place + 1, left)


# -------------------------------------------------------------------------------------------------
# Interruption


def test_every_iteration_costs_an_instruction() -> None:
    machine = machine_with("rep movsb", source=DATA, destination=DATA + 0x3000, count=5000)
    vcpu = machine.vcpus[0]
    assert vcpu.step(1234).reason is ExitReason.BUDGET
    assert registers(machine) == (DATA + 1234, DATA + 0x3000 + 1234, 5000 - 1234)
    assert (vcpu.read_register("rip"), machine.retired) == (ENTRY, 1234)
    assert machine.run().reason is ExitReason.HLT
    assert (registers(machine)[2], machine.retired) == (0, 5001)


def test_a_count_of_zero_is_one_instruction() -> None:
    machine = machine_with("rep movsb", source=1 << 63, destination=1 << 63)
    assert machine.run().reason is ExitReason.HLT
    assert machine.retired == 2


def test_a_run_ends_on_time() -> None:
    machine = machine_with("rep stosb", destination=DATA, count=1 << 40)
    assert machine.run(until_ns=10_000).reason is ExitReason.BUDGET
    assert registers(machine)[1:] == (DATA + 10_000, (1 << 40) - 10_000)
    assert machine.events.now == 10_000


def test_a_fault_leaves_the_registers_at_the_element_that_faults() -> None:
    machine = machine_with("rep movsq", source=DATA, destination=DATA + 0x4004, count=4096)
    machine.write(page_entry(DATA + 0x6000), bytes(8))
    machine.write(DATA, pattern(0x2000))
    assert machine.run().reason is ExitReason.SHUTDOWN
    done = (0x2000 - 4) // 8
    assert registers(machine) == (DATA + 8 * done, DATA + 0x4004 + 8 * done, 4096 - done)
    assert machine.read(DATA + 0x4004, 8 * done) == pattern(0x2000)[: 8 * done]


def test_single_steps_trap_behind_every_iteration() -> None:
    # Real mode: vector 1 counts in memory and returns.
    machine = Machine(1 << 20)
    machine.write(4, (0x0000_0700).to_bytes(4, "little"))
    machine.write(0x700, assemble("inc word ptr [0x600]\niret", 16, 0x700))
    code = assemble(
        """
        cld
        mov sp, 0x9000
        mov cx, 5
        mov si, 0x2000
        mov di, 0x3000
        push 0x102
        popf
        rep movsb
        push 2
        popf
        hlt""",
        16,
        0x7C00,
    )
    machine.write(0x7C00, code)
    write = machine.vcpus[0].write_register
    for name in ("cs", "ss", "ds", "es"):
        write(name, 0)
        write(f"{name}.base", 0)
    write("rip", 0x7C00)
    assert machine.run().reason is ExitReason.HLT
    # Five iterations, PUSH and the POPF that clears TF.
    assert int.from_bytes(machine.read(0x600, 2), "little") == 7


# -------------------------------------------------------------------------------------------------
# Operands that are no plain memory


def test_stores_into_code_are_seen() -> None:
    # 90 is NOP: the INC EBX behind the store is gone when it would be executed.
    machine = long_mode_machine(
        """
        mov ecx, 2
    1:  lea rdi, [rip + 2f]
        mov eax, ebp
        push rcx
        mov ecx, 2
        rep stosb
        pop rcx
    2:  inc ebx
        mov ebp, 0x90
        dec ecx
        jnz 1b
        hlt"""
    )
    machine.vcpus[0].write_register("rbp", 0x90)
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("rbx") == 0


class Recorder:
    """A device that remembers what was done to it and when, and reads as a counter."""

    def __init__(self) -> None:
        self.machine: Machine | None = None
        self.log: list[tuple[int, int, int, int]] = []
        self.next = 0

    def reset(self) -> None:
        self.log.clear()

    def read(self, offset: int, size: int) -> int:
        self.next += 1
        return self.next

    def write(self, offset: int, size: int, value: int) -> None:
        assert self.machine is not None
        self.log.append((offset, size, value, self.machine.events.now))

    def save(self) -> dict[str, int]:
        return {"next": self.next}

    def load(self, state: dict[str, int]) -> None:
        self.next = state["next"]


def test_a_device_sees_every_element() -> None:
    device = Recorder()
    machine = machine_with("rep movsd", source=DATA, destination=0x70_0000, count=4)
    device.machine = machine
    machine.write(page_entry(0x70_0000), (0xC000_0003).to_bytes(8, "little"))
    machine.map_mmio(0xC000_0000, 0x1000, device)
    machine.write(DATA, b"".join(i.to_bytes(4, "little") for i in (5, 6, 7, 8)))
    assert machine.run().reason is ExitReason.HLT
    assert [entry[:3] for entry in device.log] == [(0, 4, 5), (4, 4, 6), (8, 4, 7), (12, 4, 8)]


def test_ports_are_asked_once_per_iteration_and_at_its_time() -> None:
    machine = machine_with("mov dx, 0x300\nrep outsw", source=DATA, count=4)
    device = Recorder()
    device.machine = machine
    machine.map_ports(0x300, 2, device)
    machine.write(DATA, bytes(range(8)))
    assert machine.run().reason is ExitReason.HLT
    assert device.log == [(0, 2, 0x100, 1), (0, 2, 0x302, 2), (0, 2, 0x504, 3), (0, 2, 0x706, 4)]
    assert registers(machine)[::2] == (DATA + 8, 0)


def test_input_reaches_memory() -> None:
    machine = machine_with("mov dx, 0x300\nrep insb", destination=DATA, count=5)
    device = Recorder()
    machine.map_ports(0x300, 1, device)
    assert machine.run().reason is ExitReason.HLT
    assert machine.read(DATA, 6) == bytes([1, 2, 3, 4, 5, 0])


def test_input_is_not_lost_to_a_page_fault() -> None:
    machine = machine_with("mov dx, 0x300\nrep insb", destination=DATA, count=5)
    device = Recorder()
    machine.map_ports(0x300, 1, device)
    machine.write(page_entry(DATA), bytes(8))
    assert machine.run().reason is ExitReason.SHUTDOWN
    assert device.next == 0
