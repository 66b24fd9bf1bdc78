"""A process moves between two machines over a loopback socket, and loses or repeats nothing."""

from __future__ import annotations

import socket

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.entries import unlink
from pykern.kernel.fs.pipe import make_pipe
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
from pykern.kernel.migration.checkpoint import checkpoint
from pykern.kernel.migration.image import pages_of
from pykern.kernel.migration.restore import start
from pykern.kernel.migration.source import end, stand_still
from pykern.kernel.migration.target import serve
from pykern.kernel.migration.wire import Type
from pykern.kernel.task.sigaction import SigInfo, Signal
from tests.pykern.kernel.migration.machines import (
    LAST,
    MS,
    counted,
    counting,
    run_both,
    until_ended,
)


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
        # One that is asked for may be on its way already.
        assert 0 < report.pulled <= arrival.remote.pulled
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


def test_a_source_that_gives_up_leaves_nothing(machine, links):
    """MYR-25: killed while it stood still: it says so, and it runs on neither side."""
    near, far = links

    class KillingLink(SocketLink):
        def receive(self):
            data = super().receive()
            if data:  # READY
                first_kernel[0].kill(first_kernel[1])
            return data

    first_kernel = []

    async def source(kernel):
        process = await counting(kernel)
        first_kernel.extend((kernel, process))
        with pytest.raises(SysError, match="killed meanwhile"):
            await migrate(kernel, process, Wire(kernel, KillingLink(near._socket)))
        assert await until_ended(process) & 0x7F == Signal.SIGKILL

    async def target(kernel):
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        frames, pids = kernel.frames.statistics().free, set(kernel.processes.by_pid)
        with pytest.raises(BadMessage, match="gave up: ESRCH: it was killed meanwhile"):
            await receive(kernel, Wire(kernel, far))
        assert kernel.frames.statistics().free == frames
        assert set(kernel.processes.by_pid) == pids

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    assert counted(second) == []


@pytest.mark.parametrize("number", [Signal.SIGCONT, Signal.SIGUSR1])
def test_no_signal_makes_a_frozen_process_go_on(machine, number):
    """MYR-25: it waits; a process that has left would else be in two places."""

    async def body(kernel):
        process = await counting(kernel)
        await stand_still(kernel, process)
        seen = counted(made)
        kernel.signals.send(process, SigInfo(number))
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        assert counted(made) == seen
        kernel.signals.thaw(process)
        expected = Signal.SIGUSR1 if number is Signal.SIGUSR1 else 0
        assert await until_ended(process) == expected

    made = machine(body)
    assert made.run().outcome.status == 0, made.log


def test_the_source_dies_before_the_pages_have_followed(machine, links):
    """MYR-25: after post-copy has begun that is a loss: SIGBUS for who touches them alone."""
    near, far = links

    async def source(kernel):
        process = await counting(kernel)
        wire = Wire(kernel, near)
        await stand_still(kernel, process)
        wire.send(Type.STATE, 1, capture(kernel, process).encode())
        await wire.expect(Type.READY)
        wire.send(Type.COMMIT)
        await wire.expect(Type.PULL if (await wire.receive()).type is Type.RUNNING else Type.END)
        near.close()
        kernel.machine.stop("the machine dies")

    async def target(kernel):
        wire = Wire(kernel, far)
        arrival = await receive(kernel, wire)
        await serve(wire, arrival.remote)
        assert arrival.remote.missing > 0
        assert await until_ended(arrival.process) & 0x7F == Signal.SIGBUS

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert second.outcome.status == 0, second.log
    assert counted(second) == []


@pytest.mark.parametrize("post_copy", [False, True], ids=["pre-copy", "post-copy"])
def test_threads_move_together(machine, links, post_copy):
    """MYR-25: thread-local storage, a lock, a join that waits over there, an alternate stack."""
    near, far = links

    async def source(kernel):
        process = await kernel.usermode.spawn(b"/bin/threads")
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        assert len(process.threads) == 3
        await migrate(kernel, process, Wire(kernel, near), post_copy=post_copy)

    async def target(kernel):
        wire = Wire(kernel, far)
        arrival = await receive(kernel, wire)
        if arrival.remote is not None:
            await serve(wire, arrival.remote)
        assert await until_ended(arrival.process) == 0

    first, second = machine(source, cpus=2), machine(target, cpus=2)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
    assert "joined" not in first.log
    assert "joined well" in second.log


def test_the_same_run_writes_the_same_file(machine):
    """A checkpoint repeats bit by bit, like everything in a machine that nobody else speaks to."""
    files = []

    async def body(kernel):
        process = await counting(kernel)
        await checkpoint(kernel, process, files.append, leave_running=len(files) == 1)
        assert await until_ended(process) == (0 if len(files) == 2 else 9)

    for _ in range(2):
        assert machine(body).run().outcome.status == 0
    assert files[0] == files[1]
    assert len(files[0]) > 20 * 4096


def test_pages_of_a_process_that_has_ended_are_not_kept(machine, links):
    """MYR-25: killed over there while its pages follow: they come, and no frame is lost to them."""
    near, far = links

    async def source(kernel):
        process = await counting(kernel)
        await migrate(kernel, process, Wire(kernel, near), post_copy=True)

    async def target(kernel):
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        frames, wire = kernel.frames.statistics().free, Wire(kernel, far)
        arrival = await receive(kernel, wire)
        kernel.kill(arrival.process)
        await until_ended(arrival.process)
        await serve(wire, arrival.remote)
        assert arrival.remote.missing == 0
        assert kernel.frames.statistics().free == frames

    first, second = machine(source), machine(target)
    run_both(first, second)
    assert (first.outcome.status, second.outcome.status) == (0, 0), first.log + second.log
