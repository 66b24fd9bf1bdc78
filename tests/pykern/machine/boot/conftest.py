"""A machine of plain bytes and a dictionary of registers, to look at what a boot protocol did."""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

LIMINE_GUEST = Path(__file__).parent / "guests" / "limine"


class FakeVcpu:
    def __init__(self) -> None:
        self.registers: dict[str, int] = {}

    def write_register(self, name: str, value: int) -> None:
        self.registers[name] = value

    def __getitem__(self, name: str) -> int:
        reset = {"efer": 0, "cr3": 0, "cr4": 0}
        return self.registers[name] if name in self.registers else reset[name]


class FakeMachine:
    """RAM from 0 and ROMs; an access outside of them is a ValueError, as of the real machine."""

    def __init__(self, memory: int = 16 << 20) -> None:
        self.ram = bytearray(memory)
        self.ram_ranges = ((0, memory),)
        self.vcpus = (FakeVcpu(),)
        self.roms: dict[int, bytes] = {}

    @property
    def cpu(self) -> FakeVcpu:
        return self.vcpus[0]

    def write(self, paddr: int, data: bytes) -> None:
        if paddr < 0 or paddr + len(data) > len(self.ram):
            raise ValueError(f"{paddr:#x}+{len(data)}")
        self.ram[paddr : paddr + len(data)] = data

    def read(self, paddr: int, size: int) -> bytes:
        if paddr < 0 or paddr + size > len(self.ram):
            raise ValueError(f"{paddr:#x}+{size}")
        return bytes(self.ram[paddr : paddr + size])

    def map_rom(self, paddr: int, data: bytes) -> None:
        self.roms[paddr] = data

    def u32(self, paddr: int) -> int:
        return int(struct.unpack("<I", self.read(paddr, 4))[0])

    def u64(self, paddr: int) -> int:
        return int(struct.unpack("<Q", self.read(paddr, 8))[0])

    def string(self, paddr: int) -> str:
        end = self.ram.index(0, paddr)
        return self.ram[paddr:end].decode()

    def translate(self, laddr: int) -> int | None:
        """Walk the 4-level page tables of CR3; None where nothing is mapped."""
        table = self.cpu["cr3"]
        for shift in (39, 30, 21, 12):
            entry = self.u64(table + (laddr >> shift & 511) * 8)
            if not entry & 1:
                return None
            frame = entry & 0x000FFFFFFFFFF000
            if shift == 12 or entry & 0x80:
                return frame | laddr & ((1 << shift) - 1)
            table = frame
        return None


class ElfBuilder:
    """Write ELF files from the tables of the System V ABI, independent of the code under test."""

    def __init__(self, bits: int = 64, machine: int | None = None) -> None:
        self.bits = bits
        self.machine = machine if machine is not None else (62 if bits == 64 else 3)
        self.segments: list[tuple[int, int, int, bytes, int]] = []
        self.type = 2

    def segment(
        self, vaddr: int, data: bytes, *, paddr: int | None = None, memsz: int = 0, kind: int = 1
    ) -> ElfBuilder:
        where = vaddr if paddr is None else paddr
        self.segments.append((kind, vaddr, where, data, memsz or len(data)))
        return self

    def note(self, name: bytes, kind: int, descriptor: bytes) -> ElfBuilder:
        def pad(data: bytes) -> bytes:
            return data + bytes(-len(data) % 4)

        data = struct.pack("<III", len(name) + 1, len(descriptor), kind)
        return self.segment(0, data + pad(name + b"\0") + pad(descriptor), kind=4)

    def build(self, entry: int) -> bytes:
        wide = self.bits == 64
        ehsize, phsize = (64, 56) if wide else (52, 32)
        position = ehsize + phsize * len(self.segments)
        headers, body = b"", b""
        for kind, vaddr, paddr, data, memsz in self.segments:
            offset = position + len(body)
            if wide:
                headers += struct.pack(
                    "<IIQQQQQQ", kind, 7, offset, vaddr, paddr, len(data), memsz, 1
                )
            else:
                headers += struct.pack(
                    "<IIIIIIII", kind, offset, vaddr, paddr, len(data), memsz, 7, 1
                )
            body += data
        ident = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)
        form = "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH"
        ehdr = struct.pack(
            form, self.type, self.machine, 1, entry, ehsize, 0, 0,
            ehsize, phsize, len(self.segments), 0, 0, 0,
        )  # fmt: skip
        return ident + ehdr + headers + body


ROM = """
    .code16
    .globl _start
_start:
    cli
    lgdtl %cs:gdtr
    mov ${cr4}, %eax
    mov %eax, %cr4
    mov ${cr3}, %eax
    mov %eax, %cr3
    mov ${efer}, %eax
    xor %edx, %edx
    mov $0xC0000080, %ecx
    wrmsr
    mov ${cr0}, %eax
    mov %eax, %cr0
    ljmpl ${cs}, $0xF0000 + flat
gdtr:
    .word {gdt_limit}
    .long {gdt_base}
    .code{bits}
flat:
    mov ${ds}, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov ${rax}, %{a}ax
    mov ${rbx}, %{a}bx
    mov ${rdi}, %{a}di
    mov ${rsi}, %{a}si
    mov ${rsp}, %{a}sp
    mov ${rip}, %{a}cx
    jmp *%{a}cx
    .org 0xFFF0
    .code16
    ljmp $0xF000, $_start
    .org 0x10000
"""


def qemu_command(machine: FakeMachine, folder: Path) -> list[str]:
    """Have QEMU enter what lies in a fake machine, in the state that its registers say.

    A ROM of ours sets that state from the reset vector; RAM comes from files.
    """
    cpu = machine.cpu
    wide = bool(cpu["efer"])
    names = ("cr0", "cr3", "cr4", "efer", "cs", "ds", "rax", "rbx", "rdi", "rsi", "rsp", "rip")
    values: dict[str, int] = {name: cpu[name] for name in names}
    values["efer"] &= ~0x400  # LMA is the processor's to set
    text = ROM.format(
        **values,
        gdt_limit=cpu["gdtr.limit"],
        gdt_base=cpu["gdtr.base"],
        bits=64 if wide else 32,
        a="r" if wide else "e",
    )
    (folder / "rom.s").write_text(text)
    bits, emulation = ("--64", "elf_x86_64") if wide else ("--32", "elf_i386")
    for command in (
        ["as", bits, "-o", "rom.o", "rom.s"],
        ["ld", "-m", emulation, "-Ttext=0", "--oformat=binary", "-o", "rom.bin", "rom.o"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "low.bin").write_bytes(machine.ram[0x1000:0x9FC00])
    (folder / "high.bin").write_bytes(machine.ram[0x100000:])
    return [
        *("timeout", "60"),  # a guest that hangs fails the test instead of stopping it
        *("qemu-system-x86_64", "-m", str(len(machine.ram) >> 20), "-bios", f"{folder}/rom.bin"),
        *("-device", f"loader,file={folder}/low.bin,addr=0x1000"),
        *("-device", f"loader,file={folder}/high.bin,addr=0x100000"),
        *("-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
    ]


@pytest.fixture
def on_qemu(tmp_path):
    """Return a function that runs a fake machine on QEMU until some text has come out of COM1."""
    if not shutil.which("qemu-system-x86_64") or not shutil.which("as"):
        pytest.skip("qemu-system-x86 or binutils is not installed")

    def run(machine: FakeMachine, expected: bytes) -> bytes:
        seen = b""
        command = qemu_command(machine, tmp_path)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
            assert qemu.stdout is not None
            while expected not in seen and (data := qemu.stdout.read1()):
                seen += data
            qemu.terminate()
        return seen

    return run


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def make_machine() -> type[FakeMachine]:
    return FakeMachine


@pytest.fixture
def elf64() -> ElfBuilder:
    return ElfBuilder(64)


@pytest.fixture
def elf32() -> ElfBuilder:
    return ElfBuilder(32)


@pytest.fixture(scope="session")
def limine_guest(tmp_path_factory):
    """Return a function that compiles the Limine guest with definitions, and returns its file."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("limine")

    @functools.cache
    def compiled(*definitions: str) -> bytes:
        out = folder / "kernel.elf"
        flags = (
            "-O1 -ffreestanding -fno-pic -no-pie -mcmodel=kernel -mno-red-zone -nostdlib -static "
            "-mgeneral-regs-only -fno-stack-protector -Wl,--build-id=none"
        )
        definitions = ("X2APIC=0", *definitions) if "X2APIC=1" not in definitions else definitions
        subprocess.run(
            ["gcc", *flags.split(), f"-Wl,-T,{LIMINE_GUEST.with_suffix('.ld')}", "-o", out]
            + [f"-D{name}" for name in definitions]
            + [LIMINE_GUEST.with_suffix(".c")],
            check=True,
        )
        return out.read_bytes()

    return compiled
