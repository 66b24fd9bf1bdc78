"""Send a process away: while it runs (pre-copy), or its pages behind it (post-copy).

It stands still only for what has changed last. It is given up here when the other side says that it
runs there; when the other side is gone before that, it goes on here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.wait import sleep_until
from pykern.kernel.migration.image import capture, check_movable, pages_of
from pykern.kernel.migration.wire import LinkClosed, Type, Wire
from pykern.kernel.sched import State
from pykern.kernel.task.sigaction import SigInfo, Signal

if TYPE_CHECKING:
    from pykern.kernel.migration.image import ProcessImage
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["Report", "migrate"]

_ROUND_NS = 1_000_000
_STEP_NS = 100_000
_FEW_PAGES = 4
_BURST = 16


@dataclass
class Report:
    """How it went.

    Attributes
    ----------
    rounds : of pre-copy
    pages : sent; `pulled`: those that the other side has asked for
    frozen_ns : virtual time in which the process stood still, until all of it was sent
    """

    rounds: int = 0
    pages: int = 0
    pulled: int = 0
    bytes: int = 0
    frozen_ns: int = 0


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
    SysError(EOPNOTSUPP) : it has what cannot leave; it goes on here
    """
    check_movable(process)
    sender = _Sender(system, process, wire)
    try:
        if not post_copy:
            await sender.copy_while_it_runs(rounds)
        await sender.hand_over(post_copy=post_copy)
    except BaseException:
        system.signals.thaw(process)
        raise
    if post_copy:
        await sender.serve()
    sender.give_up()
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
        await self._freeze()
        began_ns = max(thread.since_ns for thread in self._process.threads)
        if not post_copy:
            self._send_changed()
        image: ProcessImage = capture(self._system, self._process)
        self._wire.send(Type.STATE, post_copy, image.encode())
        await self._wire.drain()
        self.report.frozen_ns = self._system.clock.now_ns - began_ns
        await self._wire.expect(Type.READY)
        self._wire.send(Type.COMMIT)
        await self._wire.expect(Type.RUNNING)
        self.report.bytes = self._wire.sent

    async def _freeze(self) -> None:
        signals, clock = self._system.signals, self._system.clock
        signals.freeze(self._process)
        while any(thread.state is not State.STOPPED for thread in self._process.threads):
            await sleep_until(clock.now_ns + _STEP_NS)

    async def serve(self) -> None:
        """Send pages that are asked for at once, and the others in between."""
        left = dict(pages_of(self._process.space))
        try:
            while left:
                self._answer(left)
                for laddr in list(left)[:_BURST]:
                    self._send_page(laddr, left.pop(laddr))
                await sleep_until(self._system.clock.now_ns + _STEP_NS)
            self._wire.send(Type.END)
            await self._wire.drain()
        except LinkClosed:
            return  # it runs there, and is no longer ours
        finally:
            self.report.bytes = self._wire.sent

    def _answer(self, left: dict[int, bytes]) -> None:
        while (message := self._wire.poll()) is not None:
            if message.type is Type.PULL and message.number in left:
                self._send_page(message.number, left.pop(message.number))
                self.report.pulled += 1

    def give_up(self) -> None:
        """End the process here: it is somewhere else."""
        self._system.signals.send(self._process, SigInfo(Signal.SIGKILL))
