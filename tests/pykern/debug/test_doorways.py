"""Several doors, one machine: who comes first has it."""

from __future__ import annotations

import contextlib
import socket

import pytest

from gdbstub import TargetError, parse_address
from gdbstub.packet import frame
from pykern.debug.doorways import Door, Doorways
from pykern.debug.machine_target import MachineTarget
from tests.guest import long_mode_machine


@pytest.fixture
def doors():
    machine = long_mode_machine("hlt")
    views = {"cpu": MachineTarget(machine), "os": MachineTarget(machine)}
    both = [Door(parse_address(":0"), target) for target in views.values()]
    yield Doorways(both, views), *both
    for door in both:
        door.listener.close()


def come(door):
    return socket.create_connection((door.listener.address.host, door.listener.address.port))


def test_the_first_one_has_the_machine(doors):
    doorways, first, second = doors
    first.target.stopped = True  # somebody was expected there
    with contextlib.closing(come(second)):
        assert doorways.poll(None)
        assert doorways.connected
        assert doorways.target is second.target
        assert second.target.stopped
        assert not first.target.stopped
        with contextlib.closing(come(first)) as other:
            while not first.listener.connected and doorways.poll():
                pass
            assert other.recv(1) == b""
    while doorways.connected:
        doorways.poll(None)
    assert not second.target.stopped
    with contextlib.closing(come(first)):
        doorways.poll(None)
        assert doorways.target is first.target


def test_the_next_gdb_sees_another_view_and_finds_the_machine_standing(doors):
    doorways, first, second = doors
    before = first.target
    with contextlib.closing(come(first)) as gdb:
        doorways.poll(None)
        before.next_view("os")
        gdb.sendall(frame(b"D"))
        while doorways.connected:
            doorways.poll(None)
    assert doorways.target is second.target
    assert doorways.target.stopped
    with contextlib.closing(come(first)):
        doorways.poll(None)
        assert doorways.target is not before
        with pytest.raises(TargetError, match="expected one of cpu, os"):
            before.next_view("moon")
