"""RMP-02, MEL-56: nodes as SRAT and SLIT tell of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.drivers import acpi, numa
from pykern.kernel.mm.frames import FrameAllocator
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
def test_a_machine_with_nodes(nodes):
    """What the firmware's tables say is what the machine was asked for."""
    computer = Computer(MachineConfig(4, 64 * MIB, numa_nodes=nodes), Machine)
    computer.machine.reset()
    tables = acpi.read(computer.machine, computer._install_firmware().rsdp).tables
    topology = numa.read(tables)
    assert topology.nodes == tuple(range(nodes))
    if nodes > 1:
        assert sorted(topology.cpus) == [0, 1, 2, 3]
        assert sum(size for _, size, _ in topology.memory) >= 63 * MIB
        assert all(
            (distance == numa.LOCAL_DISTANCE) == (a == b)
            for a, row in enumerate(topology.distances)
            for b, distance in enumerate(row)
        )


def test_without_tables_there_is_one_node():
    topology = numa.read({})
    assert topology.nodes == (0,)
    assert topology.split([(5, 7)]) == [(5, 7, 0)]


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4)


@given(memory=ranges, wanted=ranges)
def test_nothing_is_lost_by_cutting(memory, wanted):
    """RMP-01, RMP-02: each byte is in one part, and its node is the one that the table names."""
    apart, end = [], 0
    for base, size in sorted(memory):
        if base >= end:
            apart.append((base, size, len(apart) + 1))
            end = base + size
    topology = numa.Topology(tuple(apart))
    nodes = {byte: node for base, size, node in apart for byte in range(base, base + size)}
    for base, size in wanted:
        parts = topology.split([(base, size)])
        found = [(byte, node) for low, count, node in parts for byte in range(low, low + count)]
        assert found == [(byte, nodes.get(byte, 0)) for byte in range(base, base + size)]


def test_the_nearest_node_that_has_room():
    """RMP-02: fallback by distance."""
    machine = Machine(16 * MIB)
    regions = [(MIB * n, 4 * PAGE_SIZE, n - 1) for n in (1, 2, 3)]
    distances = ((10, 30, 20), (30, 10, 20), (20, 20, 10))
    frames = FrameAllocator(machine, regions, distances=distances)
    frames.home = lambda: 0
    nodes = [frames.node_of(frames.alloc()) for _ in range(12)]
    assert nodes == [0] * 4 + [2] * 4 + [1] * 4
    assert (frames.near, frames.far) == (4, 8)
    assert frames.statistics(1).free == 0
