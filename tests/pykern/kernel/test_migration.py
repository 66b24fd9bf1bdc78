"""A process moves between two machines over a loopback socket, and loses or repeats nothing."""

from __future__ import annotations

import copy
import json
import random
import re
import socket
from stat import S_IFIFO

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.entries import mknod, unlink
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
from pykern.kernel.migration.checkpoint import checkpoint
from pykern.kernel.migration.image import pages_of
from pykern.kernel.migration.restore import discard, start
from pykern.kernel.migration.source import end, stand_still
from pykern.kernel.migration.target import serve
from pykern.kernel.migration.wire import Type, pack
from pykern.kernel.task.credentials import Ids
from pykern.kernel.task.sigaction import SigInfo, Signal
from tests.pykern.kernel import hosted
from tests.pykern.kernel.migration.example import IMAGE

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
            "/bin/threads": hosted.compiled("counting_threads.c").read_bytes(),
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


HOSTILE = {
    "garbage": b"GET / HTTP/1.1\r\n\r\n",
    "a message without end": pack(Type.STATE, 0, b"x")[:9] + b"\xff\xff\xff\x7f",
    "nothing": b"",
    "half a page": pack(Type.PAGE, 0x400000, bytes(4096))[:2000],
    "a page of the kernel": pack(Type.PAGE, 0xFFFF_8000_0000_0000, bytes(4096)),
    "no page at all": pack(Type.COMMIT),
    "no image": pack(Type.STATE, 0, b"{}"),
}
"""What somebody sends who is no machine."""


def test_hostile_bytes_change_nothing(machine):
    """MYR-25: whatever comes, it is refused, no frame is lost, and the kernel goes on."""

    async def body(kernel):
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        frames, pids = kernel.frames.statistics().free, set(kernel.processes.by_pid)
        for name, data in HOSTILE.items():
            near, far = socket.socketpair()
            with near, far:
                near.sendall(data)
                near.shutdown(socket.SHUT_WR)
                with pytest.raises((BadMessage, LinkClosed)):
                    await receive(kernel, Wire(kernel, SocketLink(far)))
            assert kernel.frames.statistics().free == frames, name
            assert set(kernel.processes.by_pid) == pids, name

    made = machine(body).run()
    assert made.outcome.status == 0, made.log


WRONG_HERE = {
    "a file that is not there": {"files": [[0, "/no/such/file", 0, 0, False, None]]},
    "a pipe": {"files": [[0, "/tmp/pipe", 0, 0, False, None]]},
    "a directory that is not there": {"cwd": "/no/such/directory"},
    "memory below the first that may be mapped": {"areas": [[0, 0x1000, 3, False, ""]]},
    "more pages than there are": {"resident": [n << 12 for n in range(0x400, 0x8000)]},
    "pages all over the address space": {"resident": [n << 30 for n in range(1, 12_000)]},
}
"""What is an image, and cannot be here."""


def test_what_cannot_be_here_leaves_nothing_behind(machine):
    """MYR-25: files, memory, identity: it fails as a system call does."""

    async def body(kernel):
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        mknod(FsContext.at_root(kernel.vfs, kernel.mounts), b"/tmp/pipe", S_IFIFO | 0o666, 0)
        frames, pids = kernel.frames.statistics().free, set(kernel.processes.by_pid)
        plain = IMAGE | {"files": [], "executable": "", "resident": [0x400000]}
        for name, wrong in WRONG_HERE.items():
            image = ProcessImage.decode(json.dumps(plain | wrong).encode())
            pages = {laddr: bytes(4096) for laddr in image.resident[:4]}
            with pytest.raises(SysError):
                await restore(kernel, image, pages)
            assert kernel.frames.statistics().free == frames, name
            assert set(kernel.processes.by_pid) == pids, name
        kernel.trusted_keys = frozenset([b"key"])
        with pytest.raises(SysError, match="only signed programs"):
            await restore(kernel, ProcessImage.decode(json.dumps(plain).encode()), {})

    made = machine(body).run()
    assert made.outcome.status == 0, made.log


def test_registers_that_lead_nowhere_end_the_process_alone(machine):
    """MYR-25: whatever its registers are, it faults in user mode; the kernel goes on."""
    rows = random.Random(25)

    async def body(kernel):
        await sleep_until(kernel.clock.now_ns + 20 * MS)
        frames = kernel.frames.statistics().free
        for _ in range(20):
            image = copy.deepcopy(IMAGE) | {"files": [], "executable": "", "pending": []}
            saved = image["threads"][0]
            saved["pending"] = []
            saved["fpu"] = rows.randbytes(512).hex()
            saved["frame"] = {name: rows.getrandbits(64) for name in saved["frame"]}
            saved["frame"] |= {
                "rip": rows.getrandbits(47),
                "vector": rows.choice([14, 0x80, 0x100]),
            }
            saved["clear_child_tid"] = saved["robust_list"] = rows.getrandbits(47)
            pages = {laddr: bytes(4096) for laddr in image["resident"]}
            process = await restore(kernel, ProcessImage.decode(json.dumps(image).encode()), pages)
            start(kernel, process)
            assert await until_ended(process) & 0x7F == Signal.SIGSEGV
        assert kernel.frames.statistics().free == frames

    made = machine(body).run()
    assert made.outcome.status == 0, made.log


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


def test_who_a_process_is_goes_with_it(machine):
    """MYR-25: users, groups, shared descriptors, pending signals, alarm."""

    async def body(kernel):
        process = await counting(kernel)
        process.credentials.user = Ids(1000, 1001, 1002)
        process.files.dup(1, minimum=9)
        process.alarm.set(kernel, process, 500 * MS, 7 * MS)
        await stand_still(kernel, process)
        process.pending.add(SigInfo(Signal.SIGUSR2, pid=77))
        pages = dict(pages_of(process.space))
        with pytest.raises(SysError, match="EACCES: descriptor 3: /tmp/counted"):
            await restore(kernel, capture(kernel, process), pages)
        process.credentials.user = Ids(1000, 0, 1002)
        again = await restore(kernel, capture(kernel, process), pages)
        assert again.credentials.user == Ids(1000, 0, 1002)
        assert again.files.get(9) is again.files.get(1)
        assert again.files.get(9) is not process.files.get(9)
        assert again.pending.take(0) == SigInfo(Signal.SIGUSR2, pid=77)
        assert 400 * MS < again.alarm.remaining_ns(kernel.clock.now_ns) <= 500 * MS
        assert again.alarm.interval_ns == 7 * MS
        discard(kernel, again)
        assert again.pid not in kernel.processes.by_pid
        end(kernel, process)

    made = machine(body).run()
    assert made.outcome.status == 0, made.log


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


def test_who_sends_without_end_holds_up_nobody(machine):
    """MYR-25: the same page again and again; others run meanwhile, and time goes on."""

    class Endless:
        raw = pack(Type.PAGE, 0x400000, bytes(4096))
        count = 0

        def receive(self):
            self.count += 1
            return self.raw if self.count < 1_000 else pack(Type.COMMIT)

        def flush(self):
            return True

        def send(self, data):
            pass

        def close(self):
            pass

    async def body(kernel):
        process = await counting(kernel)
        seen = len(counted(made))
        with pytest.raises(BadMessage, match="COMMIT came, expected STATE"):
            await receive(kernel, Wire(kernel, Endless()))
        assert len(counted(made)) > seen
        end(kernel, process)

    made = machine(body)
    assert made.run().outcome.status == 0, made.log
