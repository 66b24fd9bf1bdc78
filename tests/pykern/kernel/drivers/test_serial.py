"""COM1: text out, typed bytes in."""

import pytest

from pykern.kernel.drivers.serial import COM1, Serial
from pykern.machine.board import BoardOptions
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine


@pytest.fixture
def computer():
    out = bytearray()
    options = BoardOptions(com1=out.extend)
    made = Computer(MachineConfig(memory=4 << 20, board=options), Machine)
    made.out = out
    return made


@pytest.fixture
def serial(computer):
    return Serial(COM1, lambda: computer.machine.vcpus[0])


def test_what_is_written_comes_out(computer, serial):
    """MEL-31: port 0x3F8."""
    serial.initialize()
    serial.write(bytes(range(256)) * 4)
    assert bytes(computer.out) == bytes(range(256)) * 4


def test_it_is_set_to_eight_bits_without_parity(computer, serial):
    serial.initialize(divisor=12)
    vcpu = computer.machine.vcpus[0]
    assert vcpu.port_read(COM1 + 3, 1) == 0x03
    vcpu.port_write(COM1 + 3, 1, 0x83)
    assert [vcpu.port_read(COM1 + n, 1) for n in (0, 1)] == [12, 0]


def test_what_arrives_is_handed_over(computer, serial):
    got = []
    serial.received = got.append
    serial.initialize()
    serial.enable_receiver()
    computer.board.com1.receive(b"typed")
    serial.interrupt()
    assert b"".join(got) == b"typed"
    serial.interrupt()
    assert b"".join(got) == b"typed"


def test_what_was_typed_before_is_not_lost(computer, serial):
    got = []
    computer.board.com1.receive(b"early")
    serial.initialize()
    serial.received = got.append
    assert got == []
    serial.enable_receiver()
    assert b"".join(got) == b"early"
