"""Model-specific registers."""

from __future__ import annotations

import pytest

from tests.guest import long_mode_machine
from tests.privileged import cases, log, recorded


@pytest.mark.parametrize(
    "name", cases("long", r"msr|swapgs|fsgsbase|wrfsbase|rdfsbase|rdtscp|fs base")
)
def test_against_bochs(name):
    assert log("long")[name] == recorded("long")[name]


def access(writes: list[tuple[int, int]], reads: list[int], cpu: str = "max") -> list[int] | int:
    """Write and read MSRs; return what was read, or the vector of a fault."""
    source = ""
    for index, value in writes:
        source += (
            f"mov ecx, {index}\nmov eax, {value & 0xFFFFFFFF}\nmov edx, {value >> 32}\nwrmsr\n"
        )
    for place, index in enumerate(reads):
        source += f"mov ecx, {index}\nrdmsr\nmov [0x200000 + {8 * place}], eax\n"
        source += f"mov [0x200004 + {8 * place}], edx\n"
    machine = long_mode_machine(source + "hlt")
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(10_000)
    if end.faults:
        return end.faults[0].vector
    return [int.from_bytes(machine.read(0x20_0000 + 8 * i, 8), "little") for i in range(len(reads))]


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0x174, 0x10),
        (0x175, 0xFFFF_8000_0000_1000),
        (0x176, 0x1000),
        (0x277, 0x0006_0406_0705_0100),
        (0x200, 0x8000_0006),
        (0x201, 0xFF_8000_0800),
        (0x250, 0x0606_0606_0606_0606),
        (0x26F, 0x0505_0505_0505_0505),
        (0x2FF, 0xC06),
        (0xC000_0081, 0x0023_0010_1234_5678),
        (0xC000_0082, 0xFFFF_FFFF_8000_0000),
        (0xC000_0084, 0x4_7700),
        (0xC000_0102, 0x7FFF_FFFF_FFFF),
        (0xC000_0103, 5),
        (0x3B, 0x1_0000),
        (0x17A, 4),
    ],
)
def test_what_is_written_is_read(index, value):
    assert access([(index, value)], [index]) == [value]


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0x277, 0x02),
        (0x277, 0x0800),
        (0x200, 0x2),
        (0x201, 0x400),
        (0x200, 1 << 40),
        (0x250, 0x02),
        (0x2FF, 0x1000),
        (0x2FF, 0x7),
        (0xC000_0080, 1 << 12),
        (0xC000_0082, 1 << 47),
        (0xC000_0103, 1 << 32),
        (0x175, 1 << 47),
        (0x1A0, 1 << 40),
        (0xFE, 0),
        (0x1B, 1 << 52),
        (0x800, 0),
        (0xDEAD, 0),
        (0x1D9, 1),
    ],
)
def test_reserved_bits_and_unknown_registers(index, value):
    assert access([(index, value)], []) == 13


def test_tsc_adjust_follows_the_tsc():
    adjust, before, after = access([(0x3B, 0x1000)], [0x3B, 0x10, 0x10])
    assert adjust == 0x1000
    assert 0x1000 < before < after < 0x1100
    adjust, tsc = access([(0x10, 0x5000_0000)], [0x3B, 0x10])
    assert 0x5000_0000 - 100 < adjust < 0x5000_0000 < tsc < 0x5000_0100


def test_tsc_counts_nanoseconds():
    machine = long_mode_machine("rdtsc\nmov ebx, eax\nnop\nnop\nrdtsc\nsub eax, ebx\nhlt")
    machine.run(1000)
    assert machine.vcpus[0].read_register("rax") == 4


def test_tsc_deadline_interrupts_on_time():
    source = """
        mov ecx, 0x1B
        mov eax, 0xFEE00D00
        xor edx, edx
        wrmsr                   # x2APIC
        mov ecx, 0x80F
        mov eax, 0x1FF
        wrmsr
        mov ecx, 0x832
        mov eax, 0x40040        # TSC-deadline mode, vector 40h
        wrmsr
        rdtsc
        add eax, 1000
        mov ecx, 0x6E0
        wrmsr
        rdmsr
        mov esi, eax
    1:  inc rbx
        jmp 1b
    """
    machine = long_mode_machine(source)
    machine.run(500)
    armed = machine.vcpus[0].read_register("rsi")
    assert 1000 < armed < 1100
    machine.run(armed - 1)
    assert machine.apics.local[0].irr == 0
    machine.run(armed + 1)
    assert machine.apics.local[0].irr == 1 << 0x40


def test_cpuid_leaves_the_microcode_revision():
    source = """
        mov ecx, 0x8B
        xor eax, eax
        xor edx, edx
        wrmsr
        rdmsr
        mov esi, edx
        mov eax, 1
        cpuid
        mov ecx, 0x8B
        rdmsr
        hlt
    """
    machine = long_mode_machine(source)
    machine.run(1000)
    assert machine.vcpus[0].read_register("rsi") == 0
    assert machine.vcpus[0].read_register("rdx") == 0x28
