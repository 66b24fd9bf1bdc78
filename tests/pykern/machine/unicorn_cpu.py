"""A borrowed CPU: Unicorn executes, the buses lead to a `FakeMachine`. It takes no interrupts."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Device
    from tests.pykern.machine.fake_machine import FakeMachine

unicorn = pytest.importorskip("unicorn", reason="needs Unicorn as the CPU")
from unicorn import x86_const as x86  # noqa: E402 - only if it is there

ACCESS_NS = 1000
PAGE = 4096


def _read(_uc: object, offset: int, size: int, device: Device) -> int:
    return device.read(offset, size)


def _write(_uc: object, offset: int, size: int, value: int, device: Device) -> None:
    device.write(offset, size, value)


class UnicornCpu:
    """A CPU at the reset vector of a machine.

    Parameters
    ----------
    machine : its RAM, ROMs, ports and memory-mapped devices are what the CPU sees; each access to
        a port takes a microsecond of its virtual time
    """

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        self._uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_16)
        self._until: Callable[[], bool] = lambda: False
        ram = (ctypes.c_char * len(machine.ram)).from_buffer(machine.ram)
        self._uc.mem_map_ptr(0, len(machine.ram), unicorn.UC_PROT_ALL, ram)
        for paddr, data in machine.roms.items():
            self._uc.mem_map(paddr, len(data), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
            self._uc.mem_write(paddr, data)
        for paddr, size, device in machine.mmio:
            self._uc.mmio_map(paddr, -(-size // PAGE) * PAGE, _read, device, _write, device)
        self._uc.mem_map(0xFEC0_0000, PAGE)  # the APICs: mute
        self._uc.mem_map(0xFEE0_0000, PAGE)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_in, None, 1, 0, x86.UC_X86_INS_IN)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._port_out, None, 1, 0, x86.UC_X86_INS_OUT)

    def _port_in(self, _uc: object, port: int, size: int, _data: object) -> int:
        self._machine.events.advance(ACCESS_NS)
        return self._machine.port_in(port, size)

    def _port_out(self, uc: object, port: int, size: int, value: int, _data: object) -> None:
        self._machine.events.advance(ACCESS_NS)
        self._machine.port_out(port, value, size)
        if self._until():
            uc.emu_stop()

    def run(self, until: Callable[[], bool], instructions: int) -> None:
        """Run from the reset vector until a condition that is looked at after each OUT."""
        self._until = until
        self._uc.reg_write(x86.UC_X86_REG_CS, 0xF000)
        self._uc.emu_start(0xFFFF0, 1 << 32, count=instructions)
