"""Which memory and which processors are near each other: SRAT and SLIT (RMP-02, MEL-56).

References
----------
ACPI 6.4, System Resource Affinity Table (SRAT); System Locality Information Table (SLIT).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.machine.firmware import acpi_tables as at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Topology", "read"]

LOCAL_DISTANCE = 10
"""What the SLIT says of a node and itself."""


@dataclass(frozen=True)
class Topology:
    """The nodes of a machine; without tables there is one, and everything is in it.

    Attributes
    ----------
    memory : (base, size, node) in order of address, bytes
    cpus : APIC id → node
    distances : `distances[a][b]`, how far memory of node b is from node a; empty: not known
    """

    memory: tuple[tuple[int, int, int], ...] = ()
    cpus: dict[int, int] = field(default_factory=dict)
    distances: tuple[tuple[int, ...], ...] = ()

    @property
    def nodes(self) -> tuple[int, ...]:
        """Return the numbers of all nodes."""
        found = {node for _, _, node in self.memory} | set(self.cpus.values())
        return tuple(sorted(found or {0}))

    def split(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """Cut ranges (base, size) where nodes meet; what is in no node is in node 0."""
        return [part for base, size in ranges for part in self._split(base, base + size)]

    def _split(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        for base, size, node in self.memory:
            low, high = max(start, base), min(end, base + size)
            if low >= high:
                continue
            if start < low:
                yield start, low - start, 0
            yield low, high - low, node
            start = high
        if start < end:
            yield start, end - start, 0


def read(tables: Mapping[str, bytes]) -> Topology:
    """Return what the tables say.

    Parameters
    ----------
    tables : ACPI tables by signature, checked
    """
    if "SRAT" not in tables:
        return Topology()
    memory, cpus = [], {}
    for structure in at.SRAT.parse(tables["SRAT"]).StaticResourceAllocationStructure:
        body = structure.Body
        if body is None or not body.Flags & at.AFFINITY_ENABLED:
            continue
        if structure.Type == at.PROCESSOR_AFFINITY:
            cpus[body.APICID] = body.ProximityDomainHigh << 8 | body.ProximityDomainLow
        elif structure.Type == at.MEMORY_AFFINITY:
            memory.append((body.BaseAddress, body.Length, body.ProximityDomain))
    return Topology(tuple(sorted(memory)), cpus, _distances(tables))


def _distances(tables: Mapping[str, bytes]) -> tuple[tuple[int, ...], ...]:
    if "SLIT" not in tables:
        return ()
    slit = at.SLIT.parse(tables["SLIT"])
    count, entries = slit.NumberOfSystemLocalities, tuple(slit.Entry)
    return tuple(entries[row * count : (row + 1) * count] for row in range(count))
