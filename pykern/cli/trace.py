"""What `--trace` writes: instructions, interrupts, accesses to devices that Python implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern_c.exits import EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_INSTRUCTION = 15
_LAST_ADDRESS = (1 << 64) - 1
_LAST_VECTOR = 255
_PAGE_FAULT = 14


class TracedDevice:
    """A device whose accesses are written down.

    Parameters
    ----------
    device : the one that answers
    where : `port` or `mmio`
    base : address of offset 0
    note : takes a line
    """

    def __init__(self, device: Any, where: str, base: int, note: Callable[[str], None]) -> None:
        self._device, self._where, self._base, self._note = device, where, base, note

    def read(self, offset: int, size: int) -> int:
        """Read from the device, and say so."""
        value = int(self._device.read(offset, size))
        address = self._base + offset
        self._note(f"{self._where} {address:#x} {size} -> {value & (1 << 8 * size) - 1:#x}")
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """Say what is written, and write it."""
        self._note(f"{self._where} {self._base + offset:#x} {size} <- {value:#x}")
        self._device.write(offset, size, value)


def tracing_machine(machine_class: Any, note: Callable[[str], None]) -> Any:
    """Return a Machine that writes down every access to the devices the board maps.

    Local APICs and the I/O APIC are part of the core and not among them.
    """

    class TracingMachine(machine_class):  # type: ignore[misc]
        def map_mmio(self, paddr: int, size: int, device: Any) -> None:
            super().map_mmio(paddr, size, TracedDevice(device, "mmio", paddr, note))

        def map_ports(self, port: int, count: int, device: Any, *, base: int = 0) -> None:
            traced = TracedDevice(device, "port", port - base, note)
            super().map_ports(port, count, traced, base=base)

    return TracingMachine


def trace_instructions(machine: Any, note: Callable[[str], None]) -> None:
    """Have every instruction written down before it is executed: time, CPU, CS:RIP, text."""
    from pykern_c.isa.disasm import disassemble  # reads all instruction rows

    def show(cpu: Any) -> None:
        rip = cpu.read_register("rip")
        text = next_instruction(cpu, rip, disassemble)
        note(f"{machine.now:12} {cpu.index} {cpu.read_register('cs'):04x}:{rip:016x} {text}")

    machine.add_hook(show, kinds="x", first=0, last=_LAST_ADDRESS)


def trace_interrupts(machine: Any, note: Callable[[str], None]) -> None:
    """Have every interrupt and exception written down before it is delivered."""

    def show(cpu: Any, vector: int, error: int, external: bool) -> None:
        kind = "interrupt" if external else EXCEPTIONS.get(vector, "int")
        where = f"{cpu.read_register('cs'):04x}:{cpu.read_register('rip'):016x}"
        text = f"vector {vector:#x} {kind} error {error & 0xFFFFFFFF:#x}"
        if vector == _PAGE_FAULT and not external:
            text += f" cr2 {cpu.read_register('cr2'):#x}"
        note(f"{machine.now:12} {cpu.index} {where} {text}")

    machine.add_hook(show, kinds="int", first=0, last=_LAST_VECTOR)


def next_instruction(
    cpu: Any, rip: int, disassemble: Callable[[bytes, int, int], tuple[int, str]]
) -> str:
    """Return the text of the instruction at CS:RIP."""
    bits = cpu.code_bits
    laddr = rip if bits == 64 else (cpu.read_register("cs.base") + rip) & 0xFFFFFFFF
    for size in (_MAX_INSTRUCTION, 0x1000 - laddr % 0x1000):
        try:
            code = cpu.read_linear(laddr, size)
        except ValueError:
            continue
        return disassemble(code[:_MAX_INSTRUCTION], rip, bits)[1]
    return "(not mapped)"
