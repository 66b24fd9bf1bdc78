"""A machine without CPUs: buses, memory and a clock that tests move by hand."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from pykern.machine.irq import IrqLine

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeEvent:
    def __init__(self, deadline: int, sequence: int, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        self.sequence = sequence
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeEvents:
    """Virtual time with the face of `pykern_c.Events`."""

    def __init__(self) -> None:
        self.now = 0
        self.next_sequence = 0
        self._heap: list[tuple[int, int, int, FakeEvent]] = []
        self._order = itertools.count()

    def at(
        self, deadline_ns: int, callback: Callable[[], None], *, sequence: int | None = None
    ) -> FakeEvent:
        if not 0 <= deadline_ns < 1 << 64:
            raise OverflowError(f"deadline {deadline_ns} does not fit 64 bits")
        if sequence is None:
            sequence = self.next_sequence
            self.next_sequence += 1
        event = FakeEvent(deadline_ns, sequence, callback)
        heapq.heappush(self._heap, (deadline_ns, sequence, next(self._order), event))
        return event

    @property
    def pending(self) -> list[int]:
        """Deadlines that wait."""
        return sorted(deadline for deadline, _, _, event in self._heap if not event.cancelled)

    def advance(self, ns: int) -> None:
        """Let time pass; every event runs at its deadline."""
        self.advance_to(self.now + ns)

    def advance_to(self, until: int) -> None:
        while self._heap and self._heap[0][0] <= until:
            deadline, _, _, event = heapq.heappop(self._heap)
            if event.cancelled:
                continue
            self.now = max(self.now, deadline)
            event.callback()
        self.now = max(self.now, until)


class Recorder:
    """Write down the edges of a wire with their times."""

    def __init__(self, events: FakeEvents, line: IrqLine) -> None:
        self._events = events
        self.edges: list[tuple[int, bool]] = []
        line.connect(self._note)

    def _note(self, level: bool) -> None:
        self.edges.append((self._events.now, level))

    @property
    def rises(self) -> list[int]:
        return [when for when, level in self.edges if level]


class FakeIoApic:
    def __init__(self) -> None:
        self.inputs = [IrqLine() for _ in range(24)]

    def line(self, pin: int) -> IrqLine:
        return self.inputs[pin]


class FakeApics:
    def __init__(self) -> None:
        self.ioapic = FakeIoApic()
        self.lints = (IrqLine(), IrqLine())

    def lint(self, pin: int) -> IrqLine:
        return self.lints[pin]


class FakeMachine:
    """Buses and RAM with the face of `pykern_c.Machine`."""

    def __init__(self, memory: int = 64 << 20, cpus: int = 1) -> None:
        self.events = FakeEvents()
        self.apics = FakeApics()
        self.vcpus = (object(),) * cpus
        self.ram_ranges = ((0, memory),) if memory else ()
        self.ram = bytearray(memory)
        self.roms: dict[int, bytes] = {}
        self.ports: dict[int, tuple[Any, int]] = {}
        self.mmio: list[tuple[int, int, Any]] = []
        self.stops: list[tuple[str, int]] = []
        self.acknowledge: Callable[[], int] | None = None
        self.ferr: Callable[[], None] | None = None
        self.a20 = True

    def connect_pic(self, acknowledge: Callable[[], int]) -> None:
        self.acknowledge = acknowledge

    def connect_ferr(self, asserted: Callable[[], None]) -> None:
        self.ferr = asserted

    def map_ports(self, port: int, count: int, device: Any, *, base: int = 0) -> None:
        for i in range(count):
            assert port + i not in self.ports, f"port {port + i:#x} is mapped twice"
            self.ports[port + i] = (device, base + i)

    def map_mmio(self, paddr: int, size: int, device: Any) -> None:
        self.mmio.append((paddr, size, device))

    def map_rom(self, paddr: int, data: bytes) -> None:
        self.roms[paddr] = data

    def view(self, paddr: int, size: int) -> memoryview:
        if paddr + size > len(self.ram):
            raise ValueError(f"{paddr:#x}+{size:#x} is not RAM")
        return memoryview(self.ram)[paddr : paddr + size]

    def stop(self, reason: str, code: int = 0) -> None:
        self.stops.append((reason, code))

    # What a CPU would do

    def port_in(self, port: int, size: int = 1) -> int:
        if port not in self.ports:
            return (1 << 8 * size) - 1
        device, offset = self.ports[port]
        return device.read(offset, size)

    def port_out(self, port: int, value: int, size: int = 1) -> None:
        if port in self.ports:
            device, offset = self.ports[port]
            device.write(offset, size, value)

    def mmio_at(self, paddr: int) -> tuple[Any, int]:
        for base, size, device in self.mmio:
            if base <= paddr < base + size:
                return device, paddr - base
        raise ValueError(f"nothing at {paddr:#x}")
