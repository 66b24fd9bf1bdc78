"""CPUID: models, leaves, and agreement with the instruction rows."""

from __future__ import annotations

import pytest

from pykern_c.cpuid import MODELS, feature_words
from pykern_c.cpuid_bits import FEATURES, WORDS
from pykern_c.exits import ExitReason
from pykern_c.isa import rows
from pykern_c.machine import Machine
from tests.guest import ENTRY, assemble, long_mode, page_tables

REGISTERS = ("rax", "rbx", "rcx", "rdx")
# System V ABI, AMD64 Supplement, Table 3.1: Micro-Architecture Levels.
LEVEL_1 = "CMOV CX8 FPU FXSR MMX SSE SSE2 SYSCALL".split()
LEVEL_2 = "CX16 LAHF64 POPCNT SSE3 SSE4_1 SSE4_2 SSSE3".split()


def every_bit(_leaf: int, _sub: int, _register: str) -> int:
    """Answer CPUID as a host that has everything."""
    return -1


def machine_with(source: str, cpu: str = "max", cpus: int = 1) -> Machine:
    machine = Machine(8 << 20, cpu=cpu, cpus=cpus)
    page_tables(machine)
    machine.write(ENTRY, assemble(source))
    long_mode(machine.vcpus[0])
    machine.vcpus[0].write_register("idtr.limit", 0)
    return machine


def cpuid(leaf: int, sub: int = 0, cpu: str = "max", cpus: int = 1) -> dict[str, int]:
    """Execute CPUID on the first processor."""
    machine = machine_with(f"mov eax, {leaf}\nmov ecx, {sub}\ncpuid\nhlt", cpu, cpus)
    machine.run(10_000)
    return {name[1:]: machine.vcpus[0].read_register(name) for name in REGISTERS}


def has(feature: str, cpu: str) -> bool:
    leaf, sub, register = WORDS[FEATURES[feature] >> 5]
    return bool(cpuid(leaf, sub, cpu)[register[1:]] >> (FEATURES[feature] & 31) & 1)


@pytest.mark.parametrize("feature", LEVEL_1)
def test_level_1(feature):
    assert has(feature, "v1")


@pytest.mark.parametrize("feature", LEVEL_2)
def test_level_2(feature):
    assert has(feature, "v2")
    assert not has(feature, "v1")


@pytest.mark.parametrize("cpu", MODELS)
def test_every_feature_bit_is_told(cpu):
    dynamic = {"OSXSAVE", "HTT"}  # by CR4, by the number of processors
    for feature in FEATURES.keys() - dynamic:
        assert has(feature, cpu) is (feature in MODELS[cpu]), feature


def test_features_with_instructions_have_rows():
    named = {form.feature for form in rows.load() if form.feature}
    without = MODELS["max"] - named
    system = set(
        "FPU VME DE PSE PAE MCE APIC MTRR PGE MCA PAT PSE36 CLFSH SS NX LM X2APIC TSCDEADLINE "
        "ARCH_CAPABILITIES FDP_EXCPTN_ONLY ZERO_FCS_FDS "
        "PCID OSXSAVE SMEP ERMS FSRM UMIP PDPE1GB XGETBV1 LAHF64 CX8 PREFETCHW PREFETCHWT1".split()
    )
    assert without - system == set()


def test_no_model_of_that_name():
    with pytest.raises(ValueError, match="no CPU model named 'v9'; there are v1, v2, max"):
        feature_words("v9", every_bit)


def test_max_leaves_out_what_the_host_cannot_execute():
    words = feature_words("max", lambda leaf, _sub, _register: -1 if leaf == 1 else 0)
    everything = feature_words("max", every_bit)
    sha = FEATURES["SHA"]
    assert words[sha >> 5] == everything[sha >> 5] & ~(1 << (sha & 31))
    assert words[:2] == everything[:2]


def test_other_models_need_their_host():
    assert feature_words("v1", lambda *_leaf: 0) == feature_words("v1", every_bit)
    with pytest.raises(ValueError, match="'v2' needs a host with SSE3, SSE4_1, SSE4_2, SSSE3"):
        feature_words("v2", lambda *_leaf: 0)


def test_vendor_brand_and_last_leaves():
    vendor = cpuid(0)
    text = b"".join(vendor[r].to_bytes(4, "little") for r in ("bx", "dx", "cx"))
    assert text == b"GenuineIntel"
    assert vendor["ax"] == 0x16
    assert cpuid(0x8000_0000)["ax"] == 0x8000_0008
    brand = b"".join(
        cpuid(leaf)[r].to_bytes(4, "little")
        for leaf in (0x8000_0002, 0x8000_0003, 0x8000_0004)
        for r in ("ax", "bx", "cx", "dx")
    )
    assert brand.rstrip(b"\0") == b"pykern x86-64 CPU @ 1.00GHz"
    assert cpuid(0x4000_0000) == cpuid(0x16)


def test_tsc_frequency():
    leaf = cpuid(0x15)
    assert leaf["cx"] * leaf["bx"] // leaf["ax"] == 1_000_000_000


@pytest.mark.parametrize(("cpus", "shift"), [(1, 0), (2, 1), (3, 2), (64, 6)])
def test_topology(cpus, shift):
    core = cpuid(0xB, 1, cpus=cpus)
    assert (core["ax"], core["bx"], core["cx"]) == (shift, cpus, 0x201)
    version = cpuid(1, cpus=cpus)
    assert version["bx"] >> 16 & 0xFF == cpus
    assert version["dx"] >> 28 & 1 == (cpus > 1)
    assert cpuid(4, 0, cpus=cpus)["ax"] >> 26 == (1 << shift) - 1


@pytest.mark.parametrize(("sub", "kib"), [(0, 32), (1, 32), (2, 256), (3, 8192)])
def test_caches(sub, kib):
    leaf = cpuid(4, sub)
    ways, line, sets = (leaf["bx"] >> 22) + 1, (leaf["bx"] & 0xFFF) + 1, leaf["cx"] + 1
    assert ways * line * sets == kib << 10
    assert cpuid(4, 4)["ax"] & 31 == 0


@pytest.mark.parametrize(
    ("source", "feature", "fault"),
    [
        ("popcnt eax, ebx", "v1", 6),
        ("popcnt eax, ebx", "v2", None),
        ("andn eax, ebx, ecx", "v2", 6),
        ("mov rax, cr4\nbts rax, 20\nmov cr4, rax", "v2", 13),
        ("mov rax, cr4\nbts rax, 20\nmov cr4, rax", "max", None),
        ("rdrand eax", "v2", 6),
    ],
)
def test_decoding_agrees(source, feature, fault):
    end = machine_with(f"{source}\nhlt", feature).run(1000)
    assert [f.vector for f in end.faults[:1]] == ([fault] if fault else [])
    assert (end.reason is ExitReason.SHUTDOWN) is bool(fault)


def test_random_numbers_follow_the_seed():
    def draw(seed: int) -> tuple[int, int]:
        machine = Machine(8 << 20, seed=seed)
        page_tables(machine)
        machine.write(ENTRY, assemble("rdrand rax\nsetc cl\nrdseed rbx\nhlt"))
        long_mode(machine.vcpus[0])
        machine.run(1000)
        assert machine.vcpus[0].read_register("rcx") & 0xFF == 1
        return machine.vcpus[0].read_register("rax"), machine.vcpus[0].read_register("rbx")

    assert draw(1) == draw(1) != draw(2)
