"""Real-mode programs that make BIOS calls and report what comes back: here, and on SeaBIOS.

A program is a list of `Bios` calls. It is assembled into a disk image, whose boot sector loads the
rest by INT 13h; the debug port gets a record of registers for every call.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.boot import BootOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECOND = 1_000_000_000
BUFFER = 0x5000  # in segment 0
CODE_SECTORS = 40
DISK_SECTORS = 20 * 16 * 63  # whole cylinders
RECORD = struct.Struct("<7IHH")

START = """
    .code16
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7C00, %sp
    sti
    mov %dl, drive
    mov $0x0200 + {sectors}, %ax
    mov $0x7E00, %bx
    mov $0x0002, %cx
    xor %dh, %dh
    int $0x13
    jc failed
    jmp 0x7E00
failed:
    mov $'!', %al
    out %al, $0xE9
    jmp end
drive: .byte 0
saved: .fill 8, 4, 0
flags: .word 0
put32:                          # EAX to the debug port
    mov $4, %cx
1:  out %al, $0xE9
    shr $8, %eax
    loop 1b
    ret
report:                         # registers as the service left them
    pushfw
    popw %cs:flags
    mov %eax, %cs:saved
    mov %ebx, %cs:saved + 4
    mov %ecx, %cs:saved + 8
    mov %edx, %cs:saved + 12
    mov %esi, %cs:saved + 16
    mov %edi, %cs:saved + 20
    mov %ebp, %cs:saved + 24
    mov %es, %ax
    mov %ax, %cs:saved + 28
    xor %ax, %ax
    mov %ax, %ds
    mov $saved, %si
    mov $7, %dx
2:  lodsl
    call put32
    dec %dx
    jnz 2b
    mov saved + 28, %ax
    shl $16, %eax
    mov flags, %ax
    ror $16, %eax
    call put32
    ret
dump:                           # CX bytes at BUFFER
    mov ${buffer}, %si
3:  lodsb
    out %al, $0xE9
    loop 3b
    ret
end:
    mov $0x31, %al
    out %al, $0xF4
    cli
    hlt
    .org 510
    .word 0xAA55
"""
CALL = """
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov $0x{eax:x}, %eax
    mov $0x{ebx:x}, %ebx
    mov $0x{ecx:x}, %ecx
    mov $0x{edx:x}, %edx
    mov $0x{esi:x}, %esi
    mov $0x{edi:x}, %edi
    mov $0x{ebp:x}, %ebp
    stc
    int $0x{vector:x}
    call report
"""


class Bios(NamedTuple):
    """A call, and what of its result means something.

    `before` is code; `dump` so many bytes of the buffer follow the record; `at` goes there first.
    """

    vector: int
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0
    esi: int = BUFFER
    edi: int = BUFFER
    ebp: int = BUFFER
    at: bytes = b""
    dump: int = 0
    before: str = ""
    ignore: str = ""
    """Results that may differ from SeaBIOS, by name."""


class Result(NamedTuple):
    """What a call came back with."""

    eax: int
    ebx: int
    ecx: int
    edx: int
    esi: int
    edi: int
    ebp: int
    es: int
    flags: int
    data: bytes

    @property
    def carry(self) -> bool:
        return bool(self.flags & 1)

    @property
    def zero(self) -> bool:
        return bool(self.flags & 0x40)

    @property
    def ah(self) -> int:
        return self.eax >> 8 & 0xFF

    @property
    def al(self) -> int:
        return self.eax & 0xFF


def source(calls: list[Bios]) -> str:
    text = [START.format(sectors=CODE_SECTORS, buffer=BUFFER), ".org 512\n"]
    for call in calls:
        for offset, byte in enumerate(call.at):
            text.append(f"movb $0x{byte:x}, {BUFFER + offset}\n")
        text.extend((call.before, CALL.format(**call._asdict())))
        if call.dump:
            text.append(f"mov ${call.dump}, %cx\ncall dump\n")
    return "".join([*text, "jmp end\n"])


def assemble(text: str, folder: Path, size: int) -> bytes:
    (folder / "program.s").write_text(text)
    for command in (
        ["as", "--32", "-o", "program.o", "program.s"],
        ["ld", "-m", "elf_i386", "-Ttext=0x7C00", "--oformat=binary", "-o", "disk", "program.o"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    code = (folder / "disk").read_bytes()
    assert len(code) <= (CODE_SECTORS + 1) * 512
    return code.ljust(size, b"\0")


def results(output: bytes, calls: list[Bios]) -> list[Result]:
    results, position = [], 0
    for call in calls:
        assert position + RECORD.size + call.dump <= len(output), (
            f"the program ended before call {len(results)}: {call}"
        )
        record = RECORD.unpack_from(output, position)
        position += RECORD.size
        results.append(Result(*record, output[position : position + call.dump]))
        position += call.dump
    return results


@dataclass
class Host:
    """Runs programs on this machine."""

    folder: Path
    size: int = DISK_SECTORS * 512
    framebuffer: FramebufferOptions | None = None
    memory: int = 64 << 20
    computer: Computer | None = None
    serial: bytes = b""

    def start(self, medium: bytes) -> bytes:
        out, serial = bytearray(), bytearray()
        board = BoardOptions(debugcon=out.extend, com1=serial.extend, framebuffer=self.framebuffer)
        self.computer = Computer(MachineConfig(memory=self.memory, board=board), Machine)
        self.computer.start(Image(medium, boot.PROTOCOLS["bios"], BootOptions(name="medium")))
        self.exit = self.computer.machine.run(until_ns=4 * SECOND)
        self.serial = bytes(serial)
        return bytes(out)

    def run(self, *calls: Bios, data: bytes = b"") -> list[Result]:
        disk = bytearray(assemble(source(list(calls)), self.folder, self.size))
        if data:
            disk[-len(data) :] = data
        return results(self.start(bytes(disk)), list(calls))


@dataclass
class Qemu:
    """Runs programs on QEMU with SeaBIOS."""

    folder: Path
    size: int = DISK_SECTORS * 512

    def start(self, medium: bytes, *options: str) -> bytes:
        (self.folder / "medium").write_bytes(medium)
        kind = options or ("-drive", f"file={self.folder}/medium,format=raw,if=ide")
        command = [
            *("timeout", "60", "qemu-system-x86_64", "-m", "64", *kind),
            *("-display", "none", "-no-reboot", "-net", "none", "-serial", "null"),
            *("-debugcon", f"file:{self.folder}/debug"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        return (self.folder / "debug").read_bytes()

    def run(self, *calls: Bios, data: bytes = b"") -> list[Result]:
        disk = bytearray(assemble(source(list(calls)), self.folder, self.size))
        if data:
            disk[-len(data) :] = data
        return results(self.start(bytes(disk)), list(calls))


def differences(call: Bios, ours: Result, theirs: Result) -> list[str]:
    """Return what is not the same, CF and ZF of the flags only."""
    found = []
    for name in (*Result._fields, "carry", "zero"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if name != "flags" and name not in call.ignore.split() and mine != other:
            found.append(f"{call}: {name} is {mine!r}, with SeaBIOS {other!r}")
    return found


@pytest.fixture
def agree(host, seabios) -> Callable[..., list[Result]]:
    """Return a function that runs calls here and there, and compares; it returns our results."""

    def run(*calls: Bios, data: bytes = b"") -> list[Result]:
        ours, theirs = host.run(*calls, data=data), seabios.run(*calls, data=data)
        triples = zip(calls, ours, theirs, strict=True)
        assert [line for three in triples for line in differences(*three)] == []
        return ours

    return run


@pytest.fixture
def host(tmp_path) -> Host:
    if shutil.which("as") is None:
        pytest.skip("binutils is not installed")
    return Host(tmp_path)


@pytest.fixture
def seabios(tmp_path) -> Qemu:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    return Qemu(tmp_path)
