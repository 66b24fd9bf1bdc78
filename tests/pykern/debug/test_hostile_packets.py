"""Hostile clients of a machine: what they may not do leaves registers, memory and clock alone."""

from __future__ import annotations

import functools
import re

import pytest

from gdbstub import Session, Stop
from pykern.debug.machine_target import MachineTarget
from pykern_c.exits import Exit, ExitReason
from pykern_c.machine import Machine
from tests.gdbstub.hostile import Harness
from tests.guest import ENTRY, PRESENT, WRITABLE, assemble, long_mode, page_tables
from tests.pykern.debug.test_debugged_machine import COUNT

MEGABYTES = 4


class Subject:
    """A machine of two processors that count, as `Harness` wants it."""

    def reset(self):
        self.machine = _machine()
        self.target = MachineTarget(self.machine, executable=b"\x7fELF", executable_path="/k")

    def connect(self):
        self.target.detach()
        self.target.request = ""
        self.target.halt()
        return Session(self.target)

    def state(self):
        target = self.target
        return (
            self.machine.state_hash(),
            self.machine.now,
            frozenset(target.execution.breakpoints),
            target.architecture.name,
            target.physical_memory,
            target.request,
            target.stopped,
        )

    def settle(self, session):
        ended = self.target.execution.run(self.machine.now + 2000, lambda: None)
        stop = ended if isinstance(ended, Stop) else self._stop(ended)
        self.target.stopped = True
        return session.report_stop(stop)

    def _stop(self, ended):
        if ended.reason is ExitReason.SHUTDOWN:
            self.machine.reset()
            return self.target.execution.shutdown_stop(Exit(ExitReason.SHUTDOWN, ended.vcpu))
        return self.target.interrupt_stop()

    @staticmethod
    def is_silent(payload):
        return payload == b"k" or re.fullmatch(rb"R[0-9a-fA-F]{2}", payload) is not None


@functools.cache
def _code():
    return assemble(COUNT)


def _machine():
    """Make one whose upper 2 MiB are not mapped, and whose code is small."""

    machine = Machine(MEGABYTES << 20, cpus=2, seed=1)
    page_tables(machine, MEGABYTES // 2, PRESENT | WRITABLE)
    machine.write(ENTRY, _code())
    for vcpu in machine.vcpus:
        long_mode(vcpu, rsp=0x8000 + 0x1000 * vcpu.index)
        vcpu.write_register("rdi", vcpu.index)
        vcpu.activate()
    return machine


@pytest.mark.parametrize("seed", range(5))
def test_every_packet_gets_its_reply_and_what_is_rejected_changes_nothing(seed):
    _talk(seed, 800)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_hundred_thousand_packets(seed):
    _talk(seed, 10_000)


def _talk(seed, packets):
    harness = Harness(Subject(), seed)
    while harness.packets < packets:
        harness.talk(100)
