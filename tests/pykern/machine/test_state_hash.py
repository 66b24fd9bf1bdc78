"""The hash covers registers, memory and devices, and does not depend on how memory is split."""

from __future__ import annotations

import pytest

from pykern.machine.state_hash import REGISTERS, state_hash


class Machine:
    def __init__(self, size=1 << 18):
        self.ram = bytearray(size)
        self.ram_ranges = ((0, size // 2), (1 << 32, size // 2))
        self.registers = dict.fromkeys(REGISTERS, 0)
        self.vcpus = (self,)

    def read_register(self, name):
        return self.registers[name]

    def view(self, paddr, size):
        start = paddr if paddr < 1 << 32 else paddr - (1 << 32) + len(self.ram) // 2
        return memoryview(self.ram)[start : start + size]


def test_equal_states_have_equal_hashes():
    assert state_hash(Machine(), {"a": {}}) == state_hash(Machine(), {"a": {}})


@pytest.mark.parametrize("name", REGISTERS)
def test_every_register_counts(name):
    machine = Machine()
    machine.registers[name] = 1
    assert state_hash(machine, {}) != state_hash(Machine(), {})


def test_every_byte_counts_and_where_it_is():
    hashes = set()
    for offset in (0, 1, 65535, 65536, (1 << 18) - 1):
        machine = Machine()
        machine.ram[offset] = 1
        hashes.add(state_hash(machine, {}))
    assert len(hashes) == 5
    assert state_hash(Machine(), {}) not in hashes


def test_devices_count():
    states = [{}, {"d": {"x": 1}}, {"d": {"x": 2}}, {"d": {"x": b"\1"}}, {"d": {"x": b"\2"}}]
    assert len({state_hash(Machine(), state) for state in states}) == 5
