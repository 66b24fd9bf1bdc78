"""A second door, for one who only looks."""

from __future__ import annotations

import socket

import pytest

from gdbstub import Address, Listener, TargetError, ThreadId
from gdbstub.observer import Observer
from gdbstub.packet import frame
from pykern.debug.machine_target import MachineTarget
from pykern.debug.monitor import harmless
from pykern.debug.observed import Observed
from tests.guest import long_mode_machine


class Door:
    """One who debugs, and says something at the third look."""

    connected = True

    def __init__(self):
        self.looks, self.stops = 0, []

    def poll(self, _timeout=0):
        self.looks += 1
        return self.looks == 3

    def report_stop(self, reason):
        self.stops.append(reason)


@pytest.fixture
def target():
    return MachineTarget(long_mode_machine("hlt"))


def test_the_observer_is_served_while_the_machine_waits_for_the_other(target, tmp_path):
    observer = Listener(
        Address(path=str(tmp_path / "o")), Observer(target, harmless(target.monitor)), lambda: None
    )
    door = Door()
    observed = Observed(door, observer)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(observer.address.path)
    client.sendall(frame(b"qC"))
    assert observed.poll(None)
    assert door.looks == 3
    assert client.recv(100) == b"+" + frame(b"QC1")
    observed.report_stop("stop")
    assert (door.stops, observed.connected) == (["stop"], True)
    assert not observed.poll(0)
    client.close()
    observer.close()


def test_an_observer_may_ask_for_what_changes_nothing(target):
    one = ThreadId(1, 1)
    assert harmless(target.monitor)(one, "regs")
    assert harmless(target.monitor)(one, "")
    with pytest.raises(TargetError, match="an observer may ask for apic, gdt"):
        harmless(target.monitor)(one, "power")
    assert not target.request
