"""Send a process away: while it runs (pre-copy), or its pages behind it (post-copy).

It stands still only for what has changed last. It is given up here when the other side says that it
runs there; when the other side is gone before that, it goes on here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.migration.image import capture, check_movable, pages_of
from pykern.kernel.migration.wire import BadMessage, LinkClosed, Type, Wire
from pykern.kernel.sched import State
from pykern.kernel.task.sigaction import SigInfo, Signal, bit

if TYPE_CHECKING:
    from pykern.kernel.migration.image import ProcessImage
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["Report", "end", "migrate", "stand_still"]

_ROUND_NS = 1_000_000
_STEP_NS = 100_000
_FEW_PAGES = 4
_FREEZE_NS = 1_000_000_000
_BURST = 16


@dataclass
class Report:
    """How it went.

    Attributes
    ----------
    rounds : of pre-copy
    pages : sent; `pulled`: those that the other side has asked for
    frozen_ns : virtual time in which the process stood still, until all of it was sent
    downtime_ns : the same until the other side said that it runs there, on this side's clock
    """

    rounds: int = 0
    pages: int = 0
    pulled: int = 0
    bytes: int = 0
    frozen_ns: int = 0
    downtime_ns: int = 0


async def migrate(
    system: System, process: Process, wire: Wire, *, post_copy: bool = False, rounds: int = 8
) -> Report:
    """Move a process to where the wire leads.

    Parameters
    ----------
    rounds : of pre-copy, at most

    Raises
    ------
    LinkClosed : the other side is gone; the process goes on here
    BadMessage : the other side has given up, or does not speak as it should; it goes on here
    SysError(EOPNOTSUPP) : it has what cannot leave; it goes on here
    SysError(EBUSY) : it does not stand still
    SysError(ESRCH) : it has ended meanwhile
    """
    check_movable(process)
    sender = _Sender(system, process, wire)
    try:
        if not post_copy:
            await sender.copy_while_it_runs(rounds)
        await sender.hand_over(post_copy=post_copy)
    except BaseException as error:
        if not isinstance(error, LinkClosed):
            wire.abort(str(error))
        system.signals.thaw(process)
        raise
    if post_copy:
        await sender.serve()
    end(system, process)  # not before: who waits for that may turn the machine off, pages and all
    return sender.report


class _Sender:
    def __init__(self, system: System, process: Process, wire: Wire) -> None:
        self._system, self._process, self._wire = system, process, wire
        self._sent: dict[int, bytes] = {}
        self.report = Report()

    async def copy_while_it_runs(self, rounds: int) -> None:
        """Send what has changed since it was sent, until that is little or does not become less."""
        before = None
        for _ in range(rounds):
            changed = self._send_changed()
            self.report.rounds += 1
            await self._wire.drain()
            if changed <= _FEW_PAGES or (before is not None and changed >= before):
                return
            before = changed
            await sleep_until(self._system.clock.now_ns + _ROUND_NS)

    def _send_changed(self) -> int:
        count = 0
        for laddr, data in pages_of(self._process.space):
            if self._sent.get(laddr) != data:
                self._send_page(laddr, data)
                count += 1
        return count

    def _send_page(self, laddr: int, data: bytes) -> None:
        self._wire.send(Type.PAGE, laddr, data)
        self._sent[laddr] = data
        self.report.pages += 1

    async def hand_over(self, *, post_copy: bool) -> None:
        """Stop it, send what is left, and wait until it runs on the other side."""
        await stand_still(self._system, self._process)
        began_ns = max(thread.since_ns for thread in self._process.threads)
        if not post_copy:
            self._send_changed()
        image: ProcessImage = capture(self._system, self._process)
        self._wire.send(Type.STATE, post_copy, image.encode())
        await self._wire.drain()
        self.report.frozen_ns = self._system.clock.now_ns - began_ns
        await self._wire.expect(Type.READY)
        if self._process.pending.mask & bit(Signal.SIGKILL):
            raise SysError(Errno.ESRCH, "it was killed meanwhile")
        self._wire.send(Type.COMMIT)
        await self._wire.expect(Type.RUNNING)
        self.report.downtime_ns = self._system.clock.now_ns - began_ns
        self.report.bytes = self._wire.sent

    async def serve(self) -> None:
        """Send pages that are asked for at once, and the others in between.

        The link is the other side's to close: what it asks for too late would reset it, and with it
        what is still on its way.
        """
        left = dict(pages_of(self._process.space))
        try:
            while left:
                self._answer(left)
                for laddr in list(left)[:_BURST]:
                    self._send_page(laddr, left.pop(laddr))
                await self._wire.drain()
            self._wire.send(Type.END)
            while True:
                await self._wire.receive()
        except (LinkClosed, BadMessage):
            return  # it runs there, with all its pages or without
        finally:
            self.report.bytes = self._wire.sent

    def _answer(self, left: dict[int, bytes]) -> None:
        for _ in range(_BURST):
            if (message := self._wire.poll()) is None:
                return
            if message.type is Type.PULL and message.number in left:
                self._send_page(message.number, left.pop(message.number))
                self.report.pulled += 1


async def stand_still(system: System, process: Process) -> None:
    """Freeze a process, and wait until none of its threads is in the middle of anything.

    Raises
    ------
    SysError(EBUSY) : a thread does not leave the kernel; the process goes on
    SysError(ESRCH) : it has ended, or another signal has stopped it
    """
    if process.stopped:
        raise SysError(Errno.EBUSY, f"process {process.pid} is stopped")
    system.signals.freeze(process)
    most_ns = system.clock.now_ns + _FREEZE_NS
    while any(thread.state is not State.STOPPED for thread in process.threads):
        if system.clock.now_ns >= most_ns:
            system.signals.thaw(process)
            raise SysError(Errno.EBUSY, f"process {process.pid} does not leave the kernel")
        await sleep_until(system.clock.now_ns + _STEP_NS)
    if not process.alive:
        raise SysError(Errno.ESRCH, f"process {process.pid} has ended")


def end(system: System, process: Process) -> None:
    """End a frozen process; none of its instructions is executed any more."""
    system.signals.send(process, SigInfo(Signal.SIGKILL))
    system.signals.thaw(process)
