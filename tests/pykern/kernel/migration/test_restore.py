"""What is restored, and what is not: hostile bytes, impossible processes, who a process is."""

from __future__ import annotations

import copy
import json
import random
import socket
from stat import S_IFIFO

import pytest

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.entries import mknod
from pykern.kernel.migration import (
    BadMessage,
    LinkClosed,
    ProcessImage,
    SocketLink,
    Wire,
    capture,
    receive,
    restore,
)
from pykern.kernel.migration.image import pages_of
from pykern.kernel.migration.restore import discard, start
from pykern.kernel.migration.source import end, stand_still
from pykern.kernel.migration.wire import Type, pack
from pykern.kernel.task.credentials import Ids
from pykern.kernel.task.sigaction import SigInfo, Signal
from tests.pykern.kernel.migration.example import IMAGE
from tests.pykern.kernel.migration.machines import (
    MS,
    counted,
    counting,
    until_ended,
)

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
