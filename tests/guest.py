"""Small guests for tests: assembled by the host's `as`, started in long mode or real mode."""

from __future__ import annotations

import functools
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pykern_c.machine import Machine

if TYPE_CHECKING:
    from pykern_c.vcpu import Vcpu

ENTRY = 0x10_0000
STACK = 0x30_0000
PML4 = 0x1_0000
_TABLES = 0x2_0000
PRESENT, WRITABLE, USER, GLOBAL = 1, 2, 4, 0x100


@functools.cache
def assemble(source: str, bits: int = 64, origin: int = ENTRY) -> bytes:
    """Assemble Intel-syntax source to flat code that stands at `origin`."""
    with tempfile.TemporaryDirectory() as folder:
        text, elf, flat = (Path(folder) / name for name in ("a.s", "a.elf", "a.bin"))
        text.write_text(f".intel_syntax noprefix\n.code{bits}\n.globl _start\n_start:\n{source}\n")
        kind = "elf_x86_64" if bits == 64 else "elf_i386"
        subprocess.run(
            ["as", "--64" if bits == 64 else "--32", "-o", elf.with_suffix(".o"), text], check=True
        )
        subprocess.run(
            ["ld", "-m", kind, f"-Ttext={origin:#x}", "-o", elf, elf.with_suffix(".o")], check=True
        )
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", elf, flat], check=True)
        return flat.read_bytes()


def page_tables(machine: Machine, megabytes: int = 8, flags: int = PRESENT | WRITABLE) -> None:
    """Map the first megabytes to themselves with 4 KiB pages, tables at PML4."""
    pdpt, directory = PML4 + 0x1000, PML4 + 0x2000
    upper = PRESENT | WRITABLE | USER
    machine.write(PML4, struct.pack("<Q", pdpt | upper))
    machine.write(pdpt, struct.pack("<Q", directory | upper))
    for i in range(megabytes // 2):
        table = _TABLES + 0x1000 * i
        machine.write(directory + 8 * i, struct.pack("<Q", table | upper))
        entries = [(i * 512 + j) << 12 | flags for j in range(512)]
        machine.write(table, struct.pack("<512Q", *entries))


def page_entry(laddr: int) -> int:
    """Return the physical address of the PTE that `page_tables` made for a linear address."""
    return _TABLES + 8 * (laddr >> 12)


def long_mode(vcpu: Vcpu, rip: int = ENTRY, rsp: int = STACK, *, cpl: int = 0) -> None:
    """Put a processor into 64-bit mode with flat segments, at an address."""
    write = vcpu.write_register
    write("cr3", PML4)
    write("cr4", 0x6A0)  # PAE, PGE, OSFXSR, OSXMMEXCPT
    write("efer", 0xD01)  # SCE, LME, LMA, NXE
    write("cr0", 0x8001_0033)
    dpl = cpl << 5
    for name, selector, rights in (
        ("cs", 8 | cpl, 0xA09B | dpl),
        *((name, 16 | cpl, 0xC093 | dpl) for name in ("ss", "ds", "es", "fs", "gs")),
    ):
        write(name, selector)
        write(f"{name}.base", 0)
        write(f"{name}.limit", 0xFFFF_FFFF)
        write(f"{name}.attr", rights)
    write("rip", rip)
    write("rsp", rsp)


def long_mode_machine(
    source: str,
    *,
    cpus: int = 1,
    seed: int = 0,
    megabytes: int = 8,
    translate_after: int | None = None,
) -> Machine:
    """Make a machine whose processors all start the same 64-bit code; RDI is their index."""
    machine = Machine(megabytes << 20, cpus=cpus, seed=seed, translate_after=translate_after)
    page_tables(machine, megabytes)
    machine.write(ENTRY, assemble(source))
    for vcpu in machine.vcpus:
        long_mode(vcpu, rsp=STACK + 0x1000 * vcpu.index)
        vcpu.write_register("rdi", vcpu.index)
        vcpu.activate()
    return machine


def debug_build() -> bool:
    """Whether the core under test is the debug build, which makes no host code."""
    machine = long_mode_machine("nop\nnop\nhlt", translate_after=1)
    machine.run()
    return not machine.host_code()[0]
