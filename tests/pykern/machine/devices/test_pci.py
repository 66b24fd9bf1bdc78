"""PCI configuration mechanism #1, ECAM and the host bridge."""

from __future__ import annotations

import random

import pytest

from pykern.machine.board import Board
from pykern.machine.devices.pci import PciBus, PciFunction, host_bridge
from pykern.machine.devices.reset_control import ResetControl
from tests.pykern.machine.fake_machine import FakeMachine
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

ADDRESS, DATA = 0, 4


def address(slot: int, function: int, register: int, *, bus: int = 0, enable: bool = True) -> int:
    return enable << 31 | bus << 16 | slot << 11 | function << 8 | register


class Bench:
    def __init__(self) -> None:
        self.stops: list[tuple[str, int]] = []
        self.bus = PciBus(ResetControl(lambda reason, code: self.stops.append((reason, code))))
        self.bus.add(host_bridge(), slot=0)

    def read(self, where: int, size: int = 4, within: int = 0) -> int:
        self.bus.write(ADDRESS, 4, where)
        return self.bus.read(DATA + within, size)

    def write(self, where: int, value: int, size: int = 4) -> None:
        self.bus.write(ADDRESS, 4, where)
        self.bus.write(DATA, size, value)


@pytest.fixture
def it() -> Bench:
    return Bench()


def test_host_bridge(it: Bench) -> None:
    assert it.read(address(0, 0, 0)) == 0x12378086
    assert it.read(address(0, 0, 8)) == 0x06000002
    assert it.read(address(0, 0, 0), size=2, within=2) == 0x1237
    assert it.read(address(0, 0, 0x0C), size=1, within=2) == 0, "header type 0"


def test_the_rest_of_the_bus_is_empty(it: Bench) -> None:
    for slot in range(1, 32):
        assert it.read(address(slot, 0, 0)) == 0xFFFF_FFFF
    assert it.read(address(0, 1, 0)) == 0xFFFF_FFFF
    assert it.read(address(0, 0, 0, bus=1)) == 0xFFFF_FFFF


def test_nothing_without_the_enable_bit(it: Bench) -> None:
    assert it.read(address(0, 0, 0, enable=False)) == 0xFFFF_FFFF


def test_address_reads_back_with_reserved_bits_zero(it: Bench) -> None:
    it.bus.write(ADDRESS, 4, 0xFFFF_FFFF)
    assert it.bus.read(ADDRESS, 4) == 0x80FF_FFFC


def test_a_narrow_access_to_the_address_is_none(it: Bench) -> None:
    it.bus.write(ADDRESS, 4, 0x80000000)
    it.bus.write(ADDRESS, 2, 0x1234)
    assert it.bus.read(ADDRESS, 4) == 0x80000000


def test_the_byte_at_cf9_resets(it: Bench) -> None:
    it.bus.write(1, 1, 0x02)
    assert it.stops == []
    it.bus.write(1, 1, 0x06)
    assert it.stops == [("reset", 0)]
    assert it.bus.read(1, 1) == 0x06


def test_ids_are_read_only_and_pam_is_not(it: Bench) -> None:
    it.write(address(0, 0, 0), 0)
    assert it.read(address(0, 0, 0)) == 0x12378086
    it.write(address(0, 0, 0x58), 0x33333300)
    assert it.read(address(0, 0, 0x58)) == 0x33333300


def test_bar_sizing(it: Bench) -> None:
    it.bus.add(PciFunction(0x1234, 0x1111, 0x030000, bars={0: (16 << 20, 8), 1: (32, 1)}), slot=2)
    it.write(address(2, 0, 0x10), 0xFFFF_FFFF)
    assert it.read(address(2, 0, 0x10)) == 0xFF00_0008
    it.write(address(2, 0, 0x14), 0xFFFF_FFFF)
    assert it.read(address(2, 0, 0x14)) == 0xFFFF_FFE1
    it.write(address(2, 0, 0x18), 0xFFFF_FFFF)
    assert it.read(address(2, 0, 0x18)) == 0
    it.write(address(2, 0, 0x10), 0xFD00_0000)
    function = it.bus.function_at(0, 2, 0)
    assert function is not None
    assert function.bar(0) == 0xFD00_0008


def test_multifunction_bit(it: Bench) -> None:
    it.bus.add(PciFunction(1, 2, 0), slot=3)
    assert not it.read(address(3, 0, 0x0C), size=1, within=2) & 0x80
    it.bus.add(PciFunction(1, 3, 0), slot=3, number=1)
    assert it.read(address(3, 0, 0x0C), size=1, within=2) & 0x80
    assert it.read(address(3, 1, 0)) == 0x00030001


def test_a_place_is_taken_once(it: Bench) -> None:
    with pytest.raises(ValueError, match=r"00:00\.0 is taken"):
        it.bus.add(host_bridge(), slot=0)
    with pytest.raises(ValueError, match="slot 0-31"):
        it.bus.add(host_bridge(), slot=32)


def test_ecam_shows_the_same_space(it: Bench) -> None:
    assert it.bus.ecam.read(0, 4) == 0x12378086
    assert it.bus.ecam.read(1 << 15, 4) == 0xFFFF_FFFF
    it.bus.ecam.write(0x5A, 1, 0x30)
    assert it.read(address(0, 0, 0x58)) >> 16 & 0xFF == 0x30
    assert it.bus.ecam.read(0x100, 4) == 0, "no extended capability"


def test_reset_forgets_what_the_guest_wrote(it: Bench) -> None:
    it.write(address(0, 0, 0x58), 0x33333300)
    it.bus.reset()
    assert it.bus.read(ADDRESS, 4) == 0
    assert it.read(address(0, 0, 0x58)) == 0


@needs_qemu
def test_host_bridge_agrees_with_qemu() -> None:
    """Only the subsystem IDs differ, which are QEMU's own."""
    choose = random.Random(1)
    script = Script()
    for _ in range(300):
        where = choose.choice((0, address(0, 0, 0), address(0, 0, 8), address(31, 0, 0)))
        script.out(0xCF8, where, 4)
        size = choose.choice((1, 2, 4))
        script.inp(0xCFC + choose.randrange(4 // size) * size, size)
        script.out(0xCF8, choose.getrandbits(32) & 0x80FF_FFFC, 4)
        script.inp(0xCF8, 4)
        script.out(0xCF8, address(0, 0, 0x58), 4)
        script.out(0xCFE + choose.randrange(2), choose.randrange(256) & 0x33)  # PAM1, PAM2
        script.inp(0xCFC, 4)
    machine = FakeMachine()
    Board(machine)
    assert script.on(machine).hex(" ") == script.on_qemu().hex(" ")
