"""A stand-in for the MelloOS kernel: Unicorn runs the programs, this answers their `int 0x80`.

Cooperative: a program runs until it sleeps, waits for a message or ends. Written from MEL-12 and
MEL-13, to test the demos before they test our kernel.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING

from unicorn import UC_ARCH_X86, UC_HOOK_INTR, UC_MODE_64, Uc, UcError
from unicorn.x86_const import (
    UC_X86_REG_RAX,
    UC_X86_REG_RDI,
    UC_X86_REG_RDX,
    UC_X86_REG_RIP,
    UC_X86_REG_RSI,
    UC_X86_REG_RSP,
)

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
STACK = 0x7FFF0000
STACK_SIZE = 8192
PORTS, QUEUE_LENGTH, MESSAGE_MAX = 256, 16, 4096
MOST_INSTRUCTIONS = 200_000_000
EINVAL, EAGAIN, EFAULT, ENOSYS = -22, -11, -14, -38


class Program:
    """One process: its memory and registers, and why it does not run."""

    def __init__(self, path: Path, kernel: Kernel) -> None:
        self.kernel = kernel
        self.cpu = Uc(UC_ARCH_X86, UC_MODE_64)
        self.rip = self._load(path.read_bytes())
        self.cpu.mem_map(STACK, STACK_SIZE)
        self.cpu.reg_write(UC_X86_REG_RSP, STACK + STACK_SIZE)
        self.cpu.hook_add(UC_HOOK_INTR, self._interrupt)
        self.status: int | None = None
        self.fault = ""
        self.wakes_at = 0
        self.waits: tuple[int, int, int] | None = None  # port, buffer, size

    def _load(self, image: bytes) -> int:
        entry, at = struct.unpack_from("<QQ", image, 24)
        (count,) = struct.unpack_from("<H", image, 56)
        for n in range(count):
            kind, flags, offset, laddr, _, size, room, _ = struct.unpack_from(
                "<IIQQQQQQ", image, at + 56 * n
            )
            if kind != 1:
                continue
            pages = -(-(laddr % PAGE + room) // PAGE) * PAGE
            self.cpu.mem_map(laddr & -PAGE, pages, flags & 2 | (flags & 4) >> 2 | (flags & 1) << 2)
            self.cpu.mem_write(laddr, image[offset : offset + size])
        return entry

    def may_write(self, laddr: int) -> bool:
        """Tell whether an address is the program's to write to."""
        regions = self.cpu.mem_regions()
        return any(begin <= laddr <= end and rights & 2 for begin, end, rights in regions)

    def run(self) -> None:
        """Run until the program gives the processor up."""
        try:
            self.cpu.emu_start(self.rip, 0, count=MOST_INSTRUCTIONS)
        except UcError as error:
            self.status, self.fault = -1, str(error)
        self.rip = self.cpu.reg_read(UC_X86_REG_RIP)

    def _interrupt(self, cpu: Uc, number: int, _: object) -> None:
        assert number == 0x80
        registers = (UC_X86_REG_RAX, UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX)
        result = self.kernel.call(self, *(cpu.reg_read(register) for register in registers))
        if result is None:
            cpu.emu_stop()
            return
        cpu.reg_write(UC_X86_REG_RAX, result & (1 << 64) - 1)


class Kernel:
    """Five system calls, ports and a clock that jumps when all sleep."""

    def __init__(self) -> None:
        self.ticks = 0
        self.serial = b""
        self.ports: list[deque[bytes]] = [deque() for _ in range(PORTS)]
        self.programs: list[Program] = []

    def call(self, program: Program, number: int, *arguments: int) -> int | None:
        """Carry a call out; None if the program is not to go on at once."""
        calls = (self._write, self._exit, self._sleep, self._send, self._receive)
        if number >= len(calls):
            return ENOSYS
        try:
            return calls[number](program, *arguments)
        except UcError:
            return EFAULT

    def _write(self, program: Program, fd: int, buf: int, size: int) -> int:
        del fd
        self.serial += program.cpu.mem_read(buf, size)
        return size

    def _exit(self, program: Program, code: int, *_: int) -> None:
        program.status = code

    def _sleep(self, program: Program, ticks: int, *_: int) -> None:
        program.wakes_at = self.ticks + ticks
        program.cpu.reg_write(UC_X86_REG_RAX, 0)

    def _send(self, program: Program, port: int, buf: int, size: int) -> int:
        if port >= PORTS or size > MESSAGE_MAX:
            return EINVAL
        if len(self.ports[port]) == QUEUE_LENGTH:
            return EAGAIN
        self.ports[port].append(bytes(program.cpu.mem_read(buf, size)))
        return 0

    def _receive(self, program: Program, port: int, buf: int, size: int) -> int | None:
        if port >= PORTS:
            return EINVAL
        if not program.may_write(buf):
            return EFAULT
        if not self.ports[port]:
            program.waits = (port, buf, size)
            return None
        message = self.ports[port].popleft()[:size]
        program.cpu.mem_write(buf, message)
        return len(message)

    def _runnable(self, program: Program) -> bool:
        if program.status is not None or program.wakes_at > self.ticks:
            return False
        if program.waits is None:
            return True
        if not self.ports[program.waits[0]]:
            return False
        result = self._receive(program, *program.waits)
        program.cpu.reg_write(UC_X86_REG_RAX, result or 0)
        program.waits = None
        return True

    def run(self, *paths: Path, ticks: int = 1000) -> None:
        """Run programs until all have ended or wait for ever, or so many ticks have passed."""
        self.programs = [Program(path, self) for path in paths]
        while self.ticks < ticks:
            ran = [program.run() for program in self.programs if self._runnable(program)]
            if ran:
                continue
            sleeping = [p.wakes_at for p in self.programs if p.status is None and p.waits is None]
            if not sleeping:
                return
            self.ticks = min(sleeping)
