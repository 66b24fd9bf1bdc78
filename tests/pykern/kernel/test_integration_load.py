"""All processes send to all ports, in memory that is too short: nothing is lost, twice the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from pykern.kernel.ipc.port import Port
from pykern.kernel.mm.swap import SwapSpace
from tests.contracts.census import census
from tests.pykern.kernel import hosted
from userland import build as user_build

MIB = 1 << 20
PARTS = 16
"""Swapping is looked at after each of so many parts of all messages."""


@dataclass(frozen=True)
class Load:
    """What is run.

    Attributes
    ----------
    memory : bytes of the machine
    pages : that each process looks at
    every : it looks at one before every so many messages
    """

    cpus: int
    memory: int
    processes: int
    ports: int
    pages: int
    every: int
    seed: int = 0

    @property
    def command(self) -> str:
        return (
            f"/bin/alltoall -n {self.processes} -p {self.ports} -w {self.pages} -e {self.every}\n"
        )

    @property
    def messages(self) -> int:
        return self.processes * self.ports


SOME = Load(cpus=8, memory=28 * MIB, processes=100, ports=16, pages=16, every=1)
MANY = Load(cpus=64, memory=148 * MIB, processes=2000, ports=256, pages=16, every=4)


class Loaded(NamedTuple):
    """What has come of a load.

    Attributes
    ----------
    printed : by the program
    before, after : what the kernel had then, see `_possessions`
    swapping : (pages in, pages out) so far, at the beginning and after each part of the messages
    most : processes that there were at once
    trace : what has to be the same in another run
    """

    printed: str
    before: dict[str, int]
    after: dict[str, int]
    swapping: list[tuple[int, int]]
    most: int
    trace: tuple[object, ...]


class Meter:
    """Looks at swapping while messages are received."""

    def __init__(self, kernel, part):
        self.kernel, self.part = kernel, part
        self.received_so_far = self.most = 0
        self.swapping = []

    def sent(self, port, size):
        del port, size

    def closed(self, port):
        del port

    def received(self, port):
        del port
        if self.received_so_far % self.part == 0:
            metrics = self.kernel.metrics
            self.swapping.append((metrics.swap_ins, metrics.swap_outs))
            self.most = max(self.most, len(self.kernel.processes.by_pid))
        self.received_so_far += 1


def _bring_back(kernel):
    """Have the first process, which has slept all the while, get its pages again."""
    space = kernel.processes.first.space
    for vma in space.vmas:
        for laddr in range(vma.start, vma.end, 4096):
            if space.pages.table.is_swapped(space.pages.entry(laddr)):
                space.resolve(laddr, write=False)


def _possessions(kernel):
    """Return how much of everything is in use."""
    _bring_back(kernel)
    files = sum(len(process.files) for process in kernel.processes.by_pid.values())
    return census(kernel) | {"descriptors": files}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = user_build.build(tmp_path_factory.mktemp("load"), ["alltoall"])
    return built["alltoall"].read_bytes()


@pytest.fixture(scope="module")
def run(kernel_image, program):
    """Return what runs a load, behind a small one that fills what is filled once."""

    def run_load(load):
        system = hosted.make(
            kernel_image,
            files={
                "/sbin/init": hosted.compiled("request.c").read_bytes(),
                "/bin/alltoall": program,
            },
            cpus=load.cpus,
            memory=load.memory,
            command_line="swap=1G",
            seed=load.seed,
        )
        small = replace(load, processes=3, ports=4, pages=2)
        for number, command in enumerate((small.command, load.command)):
            system.run_until(f"request {number}?")
            before, shown = _possessions(system.kernel), len(system.log)
            meter = Meter(system.kernel, max(load.messages // PARTS, 1))
            system.kernel.ports.observer = meter
            system.keyboard.typed = [(0, command.encode())]
        system.run_until("request 2?")
        kernel, machine = system.kernel, system.machine
        trace = (system.log, kernel.metrics.text(), machine.retired, machine.state_hash())
        printed, after = system.log[shown:], _possessions(kernel)
        return Loaded(printed, before, after, meter.swapping, meter.most, trace)

    return run_load


@pytest.fixture(scope="module")
def some(run):
    return run(SOME)


def assert_nothing_lost(load, loaded):
    """All came, once, undamaged; all pages are what they were; nothing is left behind."""
    pages = load.processes * load.pages
    expected = (
        f"{load.processes} processes, {load.ports} ports: "
        f"{load.messages} sent, {load.messages} received\n"
        "0 lost, 0 twice, 0 damaged, 0 processes failed\n"
        f"{pages} pages, 0 wrong, 0 wrong words on the way\n"
    )
    assert expected in loaded.printed
    assert "status 0\n" in loaded.printed
    assert loaded.after == loaded.before


def assert_swapping_never_stopped(load, loaded):
    """All processes were there, and pages went and came in each part of the messages."""
    assert loaded.most >= load.processes
    assert len(loaded.swapping) == PARTS
    for (ins, outs), (more_ins, more_outs) in zip(
        loaded.swapping[:-1], loaded.swapping[1:], strict=True
    ):
        assert more_ins > ins
        assert more_outs > outs


def test_nothing_is_lost(some):
    """MEL-13, MEL-55, MIC-10, MIC-15."""
    assert_nothing_lost(SOME, some)


def test_memory_is_short_all_the_while(some):
    """MEL-55, MIC-10: 1600 pages of 6.25 MiB, and room for half of them."""
    assert_swapping_never_stopped(SOME, some)


def test_the_same_seed_gives_the_same_run(some, run):
    """MEL-01: to the bit, with everything that eight processors have done meanwhile."""
    assert run(SOME).trace == some.trace


def test_another_seed_gives_another_run_that_loses_nothing(some, run):
    load = replace(SOME, seed=1)
    other = run(load)
    assert_nothing_lost(load, other)
    assert other.trace[-1] != some.trace[-1]


def test_the_program_tells_when_a_message_was_lost(run, monkeypatch):
    """What the tests above rely on."""
    real, sent = Port.put, []

    def lose_one(port, message):
        sent.append(message)
        return True if len(sent) == 500 else real(port, message)

    monkeypatch.setattr(Port, "put", lose_one)
    loaded = run(SOME)
    assert "1600 sent, 1599 received\n1 lost, 0 twice" in loaded.printed
    assert "status 1\n" in loaded.printed


def test_the_program_tells_when_a_page_comes_back_wrong(run, monkeypatch):
    """What the tests above rely on."""
    real, loaded = SwapSpace.load, []

    def spoil_one(swap, slot):
        loaded.append(slot)
        data = real(swap, slot)
        return data[:2048] + bytes(2048) if len(loaded) == 2000 else data

    monkeypatch.setattr(SwapSpace, "load", spoil_one)
    printed = run(SOME).printed
    assert "status 1\n" in printed
    assert ", 0 wrong, 0 wrong words" not in printed


@pytest.mark.long
def test_two_thousand_processes_on_sixty_four_processors(run):
    """MEL-13, MEL-55, MIC-10: 512,000 messages, 125 MiB of pages in a third of that; twice."""
    loaded = run(MANY)
    assert_nothing_lost(MANY, loaded)
    assert_swapping_never_stopped(MANY, loaded)
    assert int(re.search(r"(\d+) times a port was full", loaded.printed)[1]) > 0
    assert run(MANY).trace == loaded.trace


@pytest.mark.long
def test_two_thousand_processes_by_another_seed(run):
    load = replace(MANY, seed=1)
    loaded = run(load)
    assert_nothing_lost(load, loaded)
    assert_swapping_never_stopped(load, loaded)
