"""A process moves between two machines over a loopback socket, and loses or repeats nothing."""

from __future__ import annotations

import re
import socket

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.entries import unlink
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.integration.story import Story
from pykern.kernel.migration import (
    BadMessage,
    LinkClosed,
    ProcessImage,
    SocketLink,
    Wire,
    capture,
    migrate,
    receive,
    restore,
)
from pykern.kernel.migration.image import pages_of, start
from pykern.kernel.migration.source import end, stand_still
from pykern.kernel.migration.target import serve
from tests.pykern.kernel import hosted

MS = 1_000_000
LAST = 60


@pytest.fixture
def links():
    """Return both ends of a TCP connection over the host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield SocketLink(near), SocketLink(far)


@pytest.fixture
def machine(system, monkeypatch):
    """Return what makes a machine whose kernel runs a coroutine function; it has `counting`."""
    bodies = {}

    async def main(story):
        await story.start_first_program()
        await bodies[story.kernel.machine](story.kernel)
        story.kernel.power_off()

    monkeypatch.setattr(Story, "main", main)

    def make(body, **options):
        files = {
            "/sbin/init": hosted.compiled("waiting.c").read_bytes(),
            "/bin/counting": hosted.compiled("counting.c").read_bytes(),
            "/bin/travelling": hosted.compiled("travelling.c").read_bytes(),
            "/tmp/counted": b"",
        }
        made = system(files=files, timeout_ns=20_000 * MS, **options)
        bodies[made.machine] = body
        return made

    return make


def run_both(*machines, most=1_000):
    """Run machines in turn, a millisecond each, until all have ended."""
    for _ in range(most):
        running = [m for m in machines if m.outcome is None or m.outcome.status == 36]
        if not running:
            return
        for each in running:
            if each.outcome is not None:
                each.session.start = lambda: None
            each.session.timeout_ns = each.machine.now + MS
            each.outcome = each.session.run()
    raise AssertionError("\n".join(m.log[-300:] for m in machines))


def counted(made):
    return [int(line) for line in re.findall(r"^(\d+)$", made.log, re.MULTILINE)]


async def until_ended(process):
    while process.status is None:
        await process.ended.wait()
    return process.status


async def counting(kernel, *arguments):
    process = await kernel.usermode.spawn(b"/bin/counting", str(LAST).encode(), *arguments)
    await sleep_until(kernel.clock.now_ns + 20 * MS)
    return process


def test_a_process_is_an_image_and_a_process_again(machine):
    """MYR-25: checkpoint, the end of the process, restore from bytes: it counts on."""

    async def body(kernel):
        process = await counting(kernel)
        await stand_still(kernel, process)
        image = capture(kernel, process).encode()
        pages = dict(pages_of(process.space))
        end(kernel, process)
        await until_ended(process)
        await sleep_until(kernel.clock.now_ns + 50 * MS)
        again = await restore(kernel, ProcessImage.decode(image), pages)
        start(kernel, again)
        assert await until_ended(again) == 0

    made = machine(body).run()
    assert made.outcome.status == 0, made.log
    assert counted(made) == list(range(1, LAST + 1))
    assert "counted well" in made.log


ROUNDS = 20
ALL_OF_IT = "memory 1 registers 1 place 1 handler 1 blocked 1\n"


async def travelling(kernel):
    """Start what is always at work; between two of its naps it changes all its memory."""
    process = await kernel.usermode.spawn(b"/bin/travelling", str(ROUNDS).encode())
    while len(process.files) < 4:  # it has opened its file, and says so by its first line
        await sleep_until(kernel.clock.now_ns + MS)
    await sleep_until(kernel.clock.now_ns + 5 * MS)
    return process


@pytest.mark.parametrize("after_ms", [0, 1, 2, 3])
def test_an_image_has_all_of_a_process(machine, after_ms):
    """MYR-25: registers, memory, a place in a file, handlers, blocked signals: wherever it was."""

    async def body(kernel):
        process = await travelling(kernel)
        await sleep_until(kernel.clock.now_ns + after_ms * MS)
        await stand_still(kernel, process)
        image = capture(kernel, process).encode()
        pages = dict(pages_of(process.space))
        end(kernel, process)
        await until_ended(process)
        again = await restore(kernel, ProcessImage.decode(image), pages)
        start(kernel, again)
        assert await until_ended(again) == 0

    made = machine(body).run()
    assert counted(made) == list(range(1, ROUNDS + 1))
    assert made.log.endswith(ALL_OF_IT)


@pytest.mark.parametrize(("cpus", "rounds"), [(1, 1), (2, 8)])
def test_what_changes_last_is_sent_last(machine, links, cpus, rounds):
    """MYR-25: a process that never rests is stopped for what has changed since it was sent."""
    near, far = links
    reports = []

    async def source(kernel):
        process = await travelling(kernel)
        reports.append(await migrate(kernel, process, Wire(kernel, near), rounds=rounds))

    async def target(kernel):
        arrival = await receive(kernel, Wire(kernel, far))
        assert await until_ended(arrival.process) == 0

    first, second = machine(source, cpus=cpus), machine(target)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    assert counted(first) + counted(second) == list(range(1, ROUNDS + 1))
    assert second.log.endswith(ALL_OF_IT)
    # A byte takes a ns: it stood still for all of its table, and for no more than half of itself.
    assert 48 * 4096 < reports[0].frozen_ns < reports[0].bytes // 2


def test_what_cannot_leave_is_refused(machine):
    """MYR-25: a process with a pipe stays, and goes on."""

    async def body(kernel):
        process = await counting(kernel)
        for one_end in make_pipe(kernel.vfs):
            process.files.install(one_end)
        near, far = socket.socketpair()
        with near, far, pytest.raises(SysError) as refused:
            await migrate(kernel, process, Wire(kernel, SocketLink(near)))
        assert refused.value.errno is Errno.EOPNOTSUPP
        assert "pipe" in refused.value.detail
        assert await until_ended(process) == 0

    made = machine(body).run()
    assert made.outcome.status == 0, made.log
    assert counted(made) == list(range(1, LAST + 1))


@pytest.mark.parametrize("post_copy", [False, True], ids=["pre-copy", "post-copy"])
def test_a_process_moves_while_it_runs(machine, links, post_copy):
    """MYR-25: 1 to N over two machines, unbroken; downtime in virtual time, pages are counted."""
    near, far = links
    reports = {}

    async def source(kernel):
        process = await counting(kernel)
        frames = kernel.frames.statistics().free
        wire = Wire(kernel, near)
        reports["source"] = await migrate(kernel, process, wire, post_copy=post_copy)
        assert (await until_ended(process)) & 0x7F == 9
        assert kernel.frames.statistics().free > frames

    async def target(kernel):
        wire = Wire(kernel, far)
        arrival = await receive(kernel, wire)
        reports["target"] = arrival
        if arrival.remote is not None:
            await serve(wire, arrival.remote)
            assert arrival.remote.missing == 0
        assert await until_ended(arrival.process) == 0

    first, second = machine(source), machine(target, seed=1)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    here, there = counted(first), counted(second)
    assert here + there == list(range(1, LAST + 1))
    assert min(len(here), len(there)) > 5
    assert "counted well" in second.log
    report, arrival = reports["source"], reports["target"]
    assert report.pages > 10
    assert report.bytes > report.pages * 4096
    if post_copy:
        assert report.pulled == arrival.remote.pulled > 0
        assert 0 < report.frozen_ns < 1 * MS
    else:
        assert report.rounds > 1
        assert 0 < report.frozen_ns < 2 * MS


def test_a_target_that_cannot_take_it_leaves_it(machine, links):
    """MYR-25: a file that is open is not there: it goes on where it was."""
    near, far = links

    async def source(kernel):
        process = await counting(kernel)
        with pytest.raises(BadMessage, match="descriptor 3: /tmp/counted"):
            await migrate(kernel, process, Wire(kernel, near))
        assert await until_ended(process) == 0

    async def target(kernel):
        unlink(FsContext.at_root(kernel.vfs, kernel.mounts), b"/tmp/counted")
        await sleep_until(kernel.clock.now_ns + 20 * MS)  # the first program has what it needs
        frames = kernel.frames.statistics().free
        with pytest.raises(SysError) as refused:
            await receive(kernel, Wire(kernel, far))
        assert refused.value.errno is Errno.ENOENT
        assert kernel.frames.statistics().free == frames

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    assert counted(first) == list(range(1, LAST + 1))


@pytest.mark.parametrize("when", ["before", "between"])
def test_the_target_dies(machine, links, when):
    """MYR-25: killed in mid-migration, it takes nothing along: the process goes on."""
    near, far = links

    async def source(kernel):
        process = await counting(kernel)
        with pytest.raises(LinkClosed):
            await migrate(kernel, process, Wire(kernel, near))
        assert await until_ended(process) == 0

    async def target(kernel):
        wire = Wire(kernel, far)
        if when == "between":
            for _ in range(10):
                await wire.receive()
        far.close()

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    assert counted(first) == list(range(1, LAST + 1))
    assert counted(second) == []
    assert "counted well" in first.log


def test_the_source_dies_when_all_has_been_sent(machine, links):
    """MYR-25: the target has all of it, and goes on."""
    near, far = links
    numbers = []

    class DyingLink(SocketLink):
        def send(self, data):
            if data[0] == 4:  # COMMIT
                self.close()
                raise LinkClosed
            super().send(data)

    async def source(kernel):
        process = await counting(kernel)
        link = DyingLink(near._socket)
        with pytest.raises(LinkClosed):
            await migrate(kernel, process, Wire(kernel, link))
        numbers.extend(counted(first))
        kernel.signals.freeze(process)  # it is dead, and does not go on
        kernel.machine.stop("the machine dies")

    async def target(kernel):
        arrival = await receive(kernel, Wire(kernel, far))
        assert await until_ended(arrival.process) == 0

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert second.outcome.status == 0, second.log
    assert numbers + counted(second) == list(range(1, LAST + 1))
