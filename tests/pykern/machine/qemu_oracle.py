"""QEMU as the oracle of devices: one script of bus accesses, run on its board and on ours.

The script lies in a 64 KiB ROM behind a small interpreter, which starts at the reset vector, so
nothing but the script has touched the devices. What it reads goes to the debug console.

Records of 8 bytes: operation, mask, port (2), value (4)::

    00             end
    01, 02, 04     read 1, 2 or 4 bytes and send them
    11, 12, 14     write
    20             read a byte until (byte & mask) == value
    30             take one interrupt, if any is there; its handler sends the vector, no EOI
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pykern.machine.fake_machine import FakeMachine

QEMU = shutil.which("qemu-system-i386")
ASSEMBLER, LINKER = shutil.which("as"), shutil.which("ld")

needs_qemu = pytest.mark.skipif(
    not (QEMU and ASSEMBLER and LINKER), reason="needs qemu-system-i386 and binutils as the oracle"
)

ROM_SIZE, CODE = 0x10000, 0xF000
TIMEOUT_S = 60
WAIT_STEP_NS, WAIT_STEPS = 1_000_000, 10_000

INTERPRETER = """
        .code16
        .globl _start
_start: cli
        cld
        xorw    %ax, %ax
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7000, %sp
        movw    %cs, %ax
        movw    %ax, %ds
        xorw    %di, %di                # interrupt vector table: 256 stubs of 4 bytes
        movw    $stubs, %bx
1:      movw    %bx, %ax
        stosw
        movw    %cs, %ax
        stosw
        addw    $4, %bx
        cmpw    $0x400, %di
        jne     1b
        xorw    %si, %si
next:   movb    (%si), %al
        movb    1(%si), %bl
        movw    2(%si), %dx
        movl    4(%si), %ecx
        addw    $8, %si
        cmpb    $0x00, %al
        je      end
        cmpb    $0x01, %al
        je      read1
        cmpb    $0x02, %al
        je      read2
        cmpb    $0x04, %al
        je      read4
        cmpb    $0x11, %al
        je      write1
        cmpb    $0x12, %al
        je      write2
        cmpb    $0x14, %al
        je      write4
        cmpb    $0x20, %al
        je      wait
        sti
        nop
        nop
        cli
        jmp     next
end:    movb    $0, %al
        movw    $0xF4, %dx
        outb    %al, %dx
1:      hlt
        jmp     1b
read1:  inb     %dx, %al
        outb    %al, $0xE9
        jmp     next
read2:  inw     %dx, %ax
        outb    %al, $0xE9
        movb    %ah, %al
        outb    %al, $0xE9
        jmp     next
read4:  inl     %dx, %eax
        movw    $4, %cx
1:      outb    %al, $0xE9
        shrl    $8, %eax
        loop    1b
        jmp     next
write1: movb    %cl, %al
        outb    %al, %dx
        jmp     next
write2: movw    %cx, %ax
        outw    %ax, %dx
        jmp     next
write4: movl    %ecx, %eax
        outl    %eax, %dx
        jmp     next
wait:   inb     %dx, %al
        andb    %bl, %al
        cmpb    %cl, %al
        jne     wait
        jmp     next
stubs:  .rept   256                     # 4 bytes each: call pushes where, and so which, it was
        callw   handler
        nop
        .endr
handler:
        popw    %bp
        movw    %bp, %ax
        subw    $stubs + 3, %ax
        shrw    $2, %ax
        outb    %al, $0xE9
        movw    %sp, %bp
        andw    $0xFDFF, 4(%bp)         # IF off: no second one
        iretw
        .org    0xFF0
        ljmpw   $0xF000, $0xF000
        .org    0x1000
"""


@functools.cache
def _interpreter() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "a.s"), Path(folder, "a.bin")
        source.write_text(INTERPRETER)
        subprocess.run([str(ASSEMBLER), "--32", "-o", f"{folder}/a.o", source], check=True)
        subprocess.run(
            [
                *(str(LINKER), "-melf_i386", "--oformat=binary", f"-Ttext={CODE:#x}"),
                *("-o", binary, f"{folder}/a.o"),
            ],
            check=True,
        )
        return binary.read_bytes()


class Script:
    """A sequence of bus accesses."""

    def __init__(self) -> None:
        self._records: list[tuple[int, int, int, int]] = []

    def out(self, port: int, value: int, size: int = 1) -> None:
        """Write a port."""
        self._records.append((0x10 | size, 0, port, value))

    def inp(self, port: int, size: int = 1) -> None:
        """Read a port into the result."""
        self._records.append((size, 0, port, 0))

    def wait(self, port: int, mask: int, value: int) -> None:
        """Read a port until some of its bits have a value."""
        self._records.append((0x20, mask, port, value))

    def interrupt(self) -> None:
        """Take an interrupt, if one waits; its vector goes into the result."""
        self._records.append((0x30, 0, 0, 0))

    def on_qemu(self, *arguments: str) -> bytes:
        """Run it on QEMU's `pc` board, with more of its arguments."""
        script = b"".join(struct.pack("<BBHI", *record) for record in self._records) + bytes(8)
        assert len(script) <= CODE, f"the script has {len(script)} bytes, expected at most {CODE}"
        with tempfile.TemporaryDirectory() as folder:
            rom, out = Path(folder, "rom"), Path(folder, "out")
            rom.write_bytes(script.ljust(CODE, b"\0") + _interpreter())
            command = [
                str(QEMU),
                "-M",
                "pc",
                "-cpu",
                "qemu32,-apic",
                "-m",
                "2",
                "-bios",
                rom,
                # Its clock counts instructions, so that a busy host changes nothing.
                "-icount",
                "shift=0,sleep=off",
                "-display",
                "none",
                "-no-reboot",
            ]
            command += ["-net", "none", "-serial", "null", "-serial", "null"]
            command += [
                "-debugcon",
                f"file:{out}",
                "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4",
            ]
            command += arguments
            done = subprocess.run(command, timeout=TIMEOUT_S, capture_output=True, check=False)
            assert done.returncode == 1, done.stderr.decode()
            return out.read_bytes()

    def on(self, machine: FakeMachine) -> bytes:
        """Run it on our board."""
        result = bytearray()
        for operation, mask, port, value in self._records:
            if operation == 0x20:
                _wait(machine, port, mask, value)
            elif operation == 0x30:
                _take_interrupt(machine, result)
            elif operation & 0x10:
                machine.port_out(port, value, operation & 15)
            else:
                result += machine.port_in(port, operation).to_bytes(operation, "little")
        return bytes(result)


def _wait(machine: FakeMachine, port: int, mask: int, value: int) -> None:
    for step in range(WAIT_STEPS):
        if machine.port_in(port) & mask == value:
            return
        machine.events.advance(min(1000 * (step + 1), WAIT_STEP_NS))
    raise TimeoutError(f"port {port:#x} & {mask:#x} never became {value:#x}")


def _take_interrupt(machine: FakeMachine, result: bytearray) -> None:
    assert machine.acknowledge is not None
    if machine.apics.lint(0).level:
        result.append(machine.acknowledge())
