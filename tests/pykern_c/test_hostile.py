"""Hostile guests: random code, page tables, descriptors, MSRs and device writes.

Nothing may crash, hang, or touch host memory; a triple fault is reported. The `debug` environment
runs this on a build with assertions and UBSan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pykern.machine.board import Board, BoardOptions
from pykern_c.exits import ExitReason
from pykern_c.machine import Machine

if TYPE_CHECKING:
    from numpy.random import Generator

MEMORY = 2 << 20
BURST = 20_000  # ns of virtual time between two new starts
RIGHTS = {"real": 0x009B, "16": 0x009B, "32": 0xC09B, "64": 0xA09B, "compat": 0xC09B}


@dataclass
class Hostile:
    """A machine whose memory is noise."""

    machine: Machine
    rng: Generator
    shutdowns: int = 0

    def noise(self) -> None:
        """Fill RAM: noise, noise that looks like code, small numbers that look like tables."""
        code = np.array([0x0F, 0x66, 0x48, 0xF3, 0xC7, 0x8B, 0x89, 0xFF, 0x90, 0xCD], np.uint8)
        for base, size in ((0, 0xA0000), (0x10_0000, MEMORY - 0x10_0000)):
            view = np.frombuffer(self.machine.view(base, size), np.uint8)
            view[:] = self.rng.integers(0, 256, size, np.uint8)
            places = self.rng.integers(0, size, size // 8)
            view[places] = code[self.rng.integers(0, len(code), len(places))]
        for base in (0, 0x10_0000):
            self.machine.write(base, self.machine.read(base, 4096))  # decoded code follows

    def tables(self) -> None:
        """Four levels of page tables that lead somewhere, but for one entry in twenty."""
        level = np.arange(8 * 512, dtype=np.uint64) // np.uint64(512)
        upper = (np.uint64(0x10_1000) + level * np.uint64(4096)) | np.uint64(7)
        leaf = (np.arange(8 * 512, dtype=np.uint64) % np.uint64(512)) << np.uint64(12) | np.uint64(
            7
        )
        entries = np.where(level < 3, upper, leaf)
        bad = self.rng.random(len(entries)) < 0.05
        noise = self.rng.integers(0, 1 << 63, len(entries), np.uint64)
        noise[::2] &= np.uint64(0x8008_0000_001F_FFFF)
        entries[bad] = noise[bad]
        if self.rng.random() < 0.9:
            entries[::512] = np.where(level < 3, upper, leaf)[::512]
        self.machine.write(0x10_0000, entries.tobytes())

    def start(self, mode: str) -> None:
        """Begin somewhere, with everything random that software could have made so."""
        rng = self.rng
        self.machine.reset()
        vcpu = self.machine.vcpus[0]
        write = vcpu.write_register
        for name in ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r15"):
            small = int(rng.integers(0, MEMORY))
            write(name, small if rng.random() < 0.8 else int(rng.integers(0, 1 << 63)))
        cr0 = 0x10 if mode == "real" else 0x11
        if mode in {"64", "compat"}:
            write("cr4", 0x620 | int(rng.choice([0, 0x80, 0x10_0000, 0x20_0000])))
            write("cr3", 0x10_0000 + 0x1000 * int(rng.choice([0, 0, 0, 5])))
            write("efer", 0xD01)
            cr0 |= 0x8000_0000
        elif mode == "32" and rng.random() < 0.7:
            write("cr4", int(rng.choice([0, 0x10, 0x600])))
            write("cr3", 0x10_0000)
            cr0 |= 0x8000_0000
        write("cr0", cr0 | int(rng.choice([0, 0x1_0000, 0x4_0020, 8, 4])))
        dpl = 0 if mode == "real" else int(rng.choice([0, 3])) << 5
        for name in ("cs", "ss", "ds", "es", "fs", "gs"):
            write(name, int(rng.integers(0, 1 << 16)))
            write(f"{name}.base", 0 if rng.random() < 0.7 else int(rng.integers(0, MEMORY)))
            write(f"{name}.limit", 0xFFFF if mode == "real" else 0xFFFF_FFFF)
            write(f"{name}.attr", (RIGHTS[mode] if name == "cs" else 0xC093) | dpl)
        for table in ("gdtr", "idtr"):
            write(f"{table}.base", int(rng.integers(0, MEMORY)))
            write(f"{table}.limit", int(rng.integers(0, 1 << 16)))
        write("ldtr.base", int(rng.integers(0, MEMORY)))
        write("tr.base", int(rng.integers(0, MEMORY)))
        write("tr.limit", int(rng.integers(0, 0x200)))
        write("rip", int(rng.integers(0, 0x10000 if mode in {"real", "16"} else MEMORY)))
        write("rflags", int(rng.integers(0, 1 << 22)) & ~0x2_0000)

    def burst(self, mode: str) -> None:
        """Start and run for a while; a HLT is left by an NMI-like new start."""
        self.start(mode)
        for _ in range(4):
            end = self.machine.run(until_ns=self.machine.now + BURST)
            if end.reason is ExitReason.SHUTDOWN:
                assert end.faults, "a shutdown says which faults led to it"
                self.shutdowns += 1
                return
            if self.machine.vcpus[0].activity != "active":
                return


def hostile(seed: int, *, board: bool) -> Hostile:
    machine = Machine(MEMORY, seed=seed)
    if board:
        Board(machine, BoardOptions())
    return Hostile(machine, np.random.Generator(np.random.PCG64(seed)))


def rampage(seed: int, mode: str, instructions: int, *, board: bool = False) -> Hostile:
    """Run noise until so many instructions have retired, or so many starts have been tried."""
    guest = hostile(seed, board=board)
    starts = 0
    # Time goes on where nothing retires: a fault whose handler faults costs a nanosecond.
    while (
        guest.machine.retired < instructions
        and guest.machine.now < 5 * instructions
        and starts < instructions // 200
    ):
        if starts % 50 == 0:
            guest.noise()
            guest.tables()
        guest.burst(mode)
        starts += 1
    return guest


@pytest.mark.parametrize("mode", RIGHTS)
def test_noise_as_code(mode: str) -> None:
    guest = rampage(1, mode, 100_000)
    assert guest.machine.retired > 1000
    assert guest.shutdowns > 0 or mode == "real"


@pytest.mark.parametrize("mode", RIGHTS)
def test_noise_on_a_whole_board(mode: str) -> None:
    rampage(2, mode, 30_000, board=True)


def test_benign_faults_of_deliveries_for_ever_take_time() -> None:
    """What the long test found: a run() that never came back."""
    rampage(10, "16", 200_000, board=True)


@pytest.mark.long
@pytest.mark.parametrize("mode", RIGHTS)
@pytest.mark.parametrize("seed", range(10, 15))
def test_ten_million_instructions_of_noise(mode: str, seed: int) -> None:
    guest = rampage(seed, mode, 2_000_000, board=seed % 2 == 0)
    assert guest.machine.retired >= 2_000_000


def test_the_same_noise_ends_the_same_way() -> None:
    first, second = (rampage(7, "32", 20_000) for _ in range(2))
    assert first.machine.state_hash() == second.machine.state_hash()
    assert first.shutdowns == second.shutdowns


def test_a_triple_fault_names_its_faults() -> None:
    machine = Machine(1 << 20)
    vcpu = machine.vcpus[0]
    machine.write(0x1000, b"\x0f\x0b")  # UD2
    vcpu.write_register("cr0", 0x11)
    for name, value in (
        ("cs.base", 0),
        ("cs.limit", 0xFFFF_FFFF),
        ("cs.attr", 0xC09B),
        ("idtr.limit", 0),
    ):
        vcpu.write_register(name, value)
    vcpu.write_register("rip", 0x1000)
    end = machine.run()
    assert end.reason is ExitReason.SHUTDOWN
    # #UD; #GP for its gate; #GP for that gate, so #DF; #GP for the gate of #DF.
    assert [fault.vector for fault in end.faults] == [6, 13, 13, 13]
    assert end.faults[0].rip == 0x1000
