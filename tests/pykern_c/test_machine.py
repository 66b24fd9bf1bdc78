"""The face of the core: memory, registers, running, hooks, hashes."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import numpy as np
import pytest

from pykern_c.context import Context
from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import ENTRY, STACK, long_mode_machine

COUNT = "mov ecx, 1000\n1: add rax, rcx\ndec ecx\njnz 1b\nhlt"


def test_memory_ranges_are_whole_pages_and_do_not_overlap() -> None:
    assert Machine(16 << 20).ram_ranges == ((0, 16 << 20),)
    assert Machine(4 << 30).ram_ranges == ((0, 3 << 30), (4 << 30, 1 << 30))
    nodes = ((0, 1 << 20), (1 << 32, 1 << 20))
    assert Machine(nodes).ram_ranges == nodes
    with pytest.raises(ValueError, match="whole 4 KiB pages"):
        Machine(5000)
    with pytest.raises(ValueError, match="overlaps"):
        Machine(((0, 8192), (4096, 8192)))
    with pytest.raises(ValueError, match="1 to 64"):
        Machine(cpus=65)


def test_physical_memory_is_read_written_and_viewed() -> None:
    machine = Machine(1 << 20)
    machine.write(0xFFE, b"abcd")
    assert machine.read(0xFFE, 4) == b"abcd"
    view = machine.view(0x1000, 2)
    view[0] = ord("C")
    assert machine.read(0xFFE, 4) == b"abCd"
    with pytest.raises(ValueError, match="not within RAM"):
        machine.read((1 << 20) - 1, 2)


def address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def test_memory_goes_back_to_the_host_with_the_last_view() -> None:
    gc.collect()
    before = address_space()
    machine = Machine(256 << 20)
    view = machine.view(0x1000, 4)
    del machine
    gc.collect()
    view[0] = 1
    assert address_space() - before > 200 << 20
    del view
    gc.collect()
    assert address_space() - before < 100 << 20


def test_a_machine_is_collected_with_the_arrays_of_its_memory() -> None:
    """The collector of cycles does not see what arrays of numpy hold."""

    class Screen:
        def __init__(self, machine: Machine) -> None:
            self.memory = np.frombuffer(machine.view(0xB_8000, 4096), dtype=np.uint8)

    gc.collect()
    before = address_space()
    machine = Machine(256 << 20)
    machine.map_mmio(0xFEE0_0000, 4096, (machine, Screen(machine)))
    del machine
    gc.collect()
    assert address_space() - before < 100 << 20


def test_rom_is_read_only_for_the_guest() -> None:
    machine = long_mode_machine("mov byte ptr [0x500000], 7\nmov al, [0x500000]\nhlt")
    machine.map_rom(0x50_0000, b"\x2a" + bytes(4095))
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("rax") & 0xFF == 0x2A


def test_running_ends_with_the_budget_or_when_nothing_can_happen() -> None:
    machine = long_mode_machine(COUNT)
    assert machine.vcpus[0].step(4).reason is ExitReason.BUDGET
    assert machine.vcpus[0].read_register("rip") == ENTRY + 5
    assert machine.run(until_ns=100).reason is ExitReason.BUDGET
    assert machine.retired == machine.now == 100
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("rax") == 500500
    assert machine.retired == 3002


def test_registers_by_name() -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    for name in ("rax", "r15", "xmm3", "cr2", "dr1", "fs.base", "mxcsr", "st0"):
        vcpu.write_register(name, 0x12)
        assert vcpu.read_register(name) == 0x12
    vcpu.write_register("rflags", 0x8D7)
    assert vcpu.read_register("rflags") == 0x8D7
    with pytest.raises(KeyError, match="no register is named 'eax'"):
        vcpu.read_register("eax")


@pytest.mark.parametrize("flags", range(64))
def test_every_combination_of_arithmetic_flags_can_be_held(flags: int) -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    bits = (0, 2, 4, 6, 7, 11)
    value = 2 | sum(1 << bit for i, bit in enumerate(bits) if flags >> i & 1)
    vcpu.write_register("rflags", value)
    assert vcpu.read_register("rflags") == value


def test_a_hook_sees_exactly_what_its_filter_names() -> None:
    machine = long_mode_machine(
        "mov [0x400000], eax\nmov ebx, [0x400008]\nmov [0x400010], ebx\nhlt"
    )
    seen: list[tuple[int, int, bool]] = []
    number = machine.add_hook(
        lambda _, address, size, write: seen.append((address, size, write)),
        kinds=("r", "w"), first=0x40_0000, last=0x40_000F,
    )  # fmt: skip
    machine.run()
    assert seen == [(0x40_0000, 4, True), (0x40_0008, 4, False)]
    machine.remove_hook(number)
    machine.vcpus[0].write_register("rip", ENTRY)
    machine.vcpus[0].activate()
    machine.run()
    assert len(seen) == 2


def test_execution_hooks_are_valid_at_once_and_once_per_execution() -> None:
    machine = long_mode_machine(COUNT)
    vcpu = machine.vcpus[0]
    vcpu.step(10)  # the loop has been decoded
    counts: list[int] = []
    machine.add_hook(lambda v: counts.append(v.read_register("rcx")), kinds="x", first=ENTRY + 5)
    machine.run()
    assert counts == list(range(997, 0, -1))
    assert vcpu.read_register("rax") == 500500
    assert machine.retired == 3002


def test_a_hook_without_a_function_ends_the_run_before_the_instruction() -> None:
    machine = long_mode_machine(COUNT)
    machine.add_hook(None, kinds="opcode", first=0xF4)
    assert machine.run().reason is ExitReason.HOOK
    assert machine.vcpus[0].activity == "active"
    assert machine.run().reason is ExitReason.HLT


def test_what_a_device_raises_surfaces_in_run() -> None:
    class Broken:
        def read(self, offset: int, size: int) -> int:
            raise RuntimeError(f"no register at {offset} of size {size}")

        def write(self, offset: int, size: int, value: int) -> None:
            raise AssertionError

    machine = long_mode_machine("mov eax, [0xa00004]\nhlt", megabytes=8)
    machine.write(0x1_2000 + 8 * 5, (0x80_0083 | 0x20_0000).to_bytes(8, "little"))
    machine.map_mmio(0xA0_0000, 4096, Broken())
    with pytest.raises(RuntimeError, match="no register at 4 of size 4"):
        machine.run()


def test_dirty_pages() -> None:
    machine = long_mode_machine("mov [0x400000], eax\nmov [0x402ffe], eax\nhlt")
    machine.vcpus[0].step(1)
    machine.clear_dirty()
    machine.run()
    # Its page tables are written too: accessed and dirty flags.
    assert [page for page in machine.dirty_pages() if page >= 0x40_0000] == [0x40_2000, 0x40_3000]


def test_contexts_switch_threads() -> None:
    machine = long_mode_machine("1: inc rax\njmp 1b\n2: inc rbx\njmp 2b")
    vcpu = machine.vcpus[0]
    first, second = Context(), Context()
    second.save(vcpu)
    second.rip, second.rsp = ENTRY + 5, STACK - 64
    vcpu.step(10)
    first.switch(vcpu, second)
    vcpu.step(4)
    assert (vcpu.read_register("rax"), vcpu.read_register("rbx")) == (0, 2)
    assert vcpu.read_register("rsp") == STACK - 64
    second.switch(vcpu, first)
    assert (vcpu.read_register("rax"), vcpu.read_register("rbx")) == (5, 0)


RACE = """
    mov ecx, 300
1:  mov rax, [0x400000]
    lea rax, [rax*8+rax+1]
    add rax, rdi
    mov [0x400000], rax
    lock xadd [0x400008], rdx
    dec ecx
    jnz 1b
    hlt
"""


def hashes(seed: int) -> list[str]:
    """Hash a run of four racing processors every 300 ns of virtual time."""
    machine = long_mode_machine(RACE, cpus=4, seed=seed)
    found = []
    while True:
        end = machine.run(until_ns=machine.now + 300)
        found.append(machine.state_hash())
        if end.reason is not ExitReason.BUDGET or len(found) > 100:
            return found


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    assert hashes(1) == hashes(1)
    assert hashes(1)[-1] != hashes(2)[-1]


def test_looking_does_not_change_the_run() -> None:
    watched = long_mode_machine(RACE, cpus=4, seed=3)
    while (
        watched.run(until_ns=watched.now + 100).reason is ExitReason.BUDGET and watched.now < 9000
    ):
        watched.state_hash()
    free = long_mode_machine(RACE, cpus=4, seed=3)
    free.run(until_ns=watched.now)
    assert free.state_hash() == watched.state_hash()


def test_a_breakpoint_in_the_middle_does_not_change_the_run() -> None:
    stopped = long_mode_machine(RACE, cpus=4, seed=3)
    stopped.add_hook(None, kinds="x", first=ENTRY + 5)
    stops = 0
    while stopped.run(until_ns=20_000).reason is ExitReason.HOOK:
        stops += 1
    free = long_mode_machine(RACE, cpus=4, seed=3)
    free.run(until_ns=20_000)
    assert stops == 4 * 300
    assert free.read(0x40_0000, 16) == stopped.read(0x40_0000, 16)
    assert free.state_hash() == stopped.state_hash()
