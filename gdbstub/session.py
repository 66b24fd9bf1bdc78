"""One conversation with gdb: bytes in, bytes out.

Whoever owns the connection feeds what arrives and sends what is returned. Whoever runs the target
calls `report_stop` when it has stopped. While it runs nothing is answered but Ctrl-C: requests wait
for the stop, so that each gets its one reply, in order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from gdbstub import commands, nonstop
from gdbstub.packet import Decoder, Mark, frame, notification
from gdbstub.replies import error_reply, stop_reply
from gdbstub.requests import RequestError
from gdbstub.target import (
    Exited,
    Resume,
    Stop,
    SupportsBreakpointAgent,
    SupportsBreakpoints,
    SupportsDetach,
    SupportsKill,
    SupportsPackedRegisters,
    SupportsTracing,
    Target,
    TargetError,
    ThreadExited,
    ThreadId,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.arch import Architecture
    from gdbstub.target import Breakpoint
    from gdbstub.tracer import Frame

_MOST_WAITING = 256
"""Requests that may wait while the target runs; gdb sends none."""
_CONSOLE_CHUNK = 1024
_OF_A_THREAD = frozenset(b"gGpPmMxX")
"""Requests by which gdb looks at the thread of Hg, whatever it has chosen that for."""
_PASSES = b"qXfer:btrace-conf"
"""What gdb asks of all threads when it connects; it stays at the last, and means nothing by it."""


class Session:
    """The server's side of one connection; the target is stopped when it begins.

    Parameters
    ----------
    target : what is debugged

    Attributes
    ----------
    general : the thread whose registers and memory are meant (Hg)
    looked_at : the thread that gdb has last read, stepped, …: what it means where it says none
    continued : the thread that `c` and `s` are about (Hc); None: all
    going : processes of which gdb has let threads go on last
    visited : threads whose registers gdb may have read
    client : features that gdb says it has
    running : whether threads go on, and gdb waits for one to stop
    closed : whether nothing more is to come: gdb has detached, or ended the target
    files : contents of open files, by descriptor
    breakpoints : the target, if it has any
    breakpoint_agent : whether it evaluates conditions of breakpoints itself
    tracer : the target's trace experiment, if it can have one
    frame : the frame of it that is looked at in place of the target; None: the target
    watched : the watchpoints there are
    told : lines of a long answer that are still to come
    packed : the target, if it returns registers faster than by `read_registers`
    extended : whether gdb may run the target again after its end
    killed : the process that gdb has ended and may run again; None: there is none
    non_stop : whether threads stop one by one; then nothing waits for a stop
    branches : bytes that a thread's branch trace may have, in gdb's count
    stops : the last stop of each thread, in non-stop mode
    late : stops that were there when gdb came, and are still to be told, in non-stop mode
    untold : stops that gdb has not acknowledged, in non-stop mode
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.breakpoints = target if isinstance(target, SupportsBreakpoints) else None
        agent = isinstance(target, SupportsBreakpointAgent) and target.breakpoint_agent
        self.breakpoint_agent = agent
        self.tracer = target.tracer if isinstance(target, SupportsTracing) else None
        self.frame: Frame | None = None
        self.told: list[bytes] = []
        self.branches = 65536
        self.watched: set[Breakpoint] = set()
        self._more: list[Stop] = []
        self.packed = target if isinstance(target, SupportsPackedRegisters) else None
        self.general: ThreadId = target.threads()[0].id
        self.looked_at = self.general
        self._passed: ThreadId | None = None
        self.continued: ThreadId | None = None
        self.going: frozenset[int] = frozenset()
        self.visited: set[ThreadId] = set()
        self.client: frozenset[str] = frozenset()
        self.running = False
        self.closed = False
        self.acknowledge = True
        self.files: dict[int, bytes] = {}
        self.listed: list[ThreadId] = []
        self.extended = False
        self.killed: int | None = None
        self.non_stop = False
        self.stops: dict[ThreadId, Stop] = {}
        self.late: list[Stop] = []
        self.untold: deque[Stop | Exited | ThreadExited] = deque()
        self.last_stop: Stop | Exited | ThreadExited = Stop(self.general)
        self._described: Architecture | None = None
        self._decoder = Decoder()
        self._waiting: deque[bytes] = deque()
        self._refused = 0
        self._out = bytearray()
        self._last_frame = b""

    @property
    def architecture(self) -> Architecture:
        """Return the registers as gdb has read them: a change counts when it reads them anew."""
        return self._described or self.target.architecture

    def describe(self) -> Architecture:
        """Return what the target says of its registers now, and number them so from here on."""
        self._described = self.target.architecture
        return self._described

    # -- for the owner of the connection

    def feed(self, data: bytes) -> bytes:
        """Take bytes that have arrived; return those to send."""
        for item in self._decoder.feed(data):
            if self.closed:
                break
            if isinstance(item, Mark):
                self._mark(item)
            else:
                self._packet(item)
        return self._taken()

    def report_stop(self, reason: Stop | Exited | ThreadExited) -> bytes:
        """Say that the target, or in non-stop mode a thread, has stopped; return what to send."""
        if self.non_stop:
            self._notify(reason)
            return self._taken()
        if not self.running:
            return b""
        self.running = False
        self.last_stop = reason
        self._more = []
        if isinstance(reason, Stop):
            self.general = self.looked_at = reason.thread
            self.continued = self._passed = None
            self._print(reason.text)
            if "multi-wp-addr+" not in self.client:
                self._more = [replace(reason, kind=k, address=a) for k, a in reason.others]
        self._send(stop_reply(self, reason))
        self._catch_up()
        return self._taken()

    def _notify(self, reason: Stop | Exited | ThreadExited) -> None:
        if isinstance(reason, Stop):
            self.stops[reason.thread] = reason
        else:
            self.last_stop = reason
        self.untold.append(reason)
        if len(self.untold) == 1:
            self._out += notification(b"Stop:" + stop_reply(self, reason))

    def print(self, text: str) -> bytes:
        """Return the bytes that show text on gdb's console; only while the target runs."""
        if self.running:
            self._print(text)
        return self._taken()

    def close(self) -> None:
        """Let the target go: the connection is lost, or has served its purpose."""
        if not self.closed:
            self.closed = True
            if self.tracer is not None and not self.tracer.disconnected:
                self.tracer.stop(b"tdisconnected:0")
            if self.killed is not None and isinstance(self.target, SupportsKill):
                self.target.kill(self.killed)
            elif isinstance(self.target, SupportsDetach):
                self.target.detach()

    # -- for the commands

    def resume(self, actions: Resume) -> None:
        """Let threads go on.

        Raises
        ------
        RequestError : none would
        """
        if not actions:
            raise RequestError("no thread would go on")
        self.frame = None
        self.going = frozenset(thread.pid for thread in actions)
        if self.non_stop:
            self.target.resume(actions)
            return
        if self._tell_more():
            return
        self.set_off(lambda: self.target.resume(actions))

    def set_off(self, start: Callable[[], None]) -> None:
        """Have the target leave the place where it stands: gdb waits for a stop from here on."""
        self.running = True
        try:
            start()
        except TargetError:
            self.running = False
            raise

    def _tell_more(self) -> bool:
        """Tell of another watchpoint of the last instruction, if gdb takes one at a time."""
        while self._more:
            stop = self._more.pop(0)
            if any(b.address <= stop.address < b.address + b.size for b in self.watched):
                self.last_stop = stop
                self._send(stop_reply(self, stop))
                return True
        return False

    def thread_exists(self, thread: ThreadId) -> bool:
        """Tell whether the target has the thread."""
        return any(known.id == thread for known in self.target.threads())

    def show(self, text: str) -> None:
        """Print text on gdb's console before the reply of the present request."""
        self._print(text)

    # -- inside

    def _mark(self, mark: Mark) -> None:
        if mark is Mark.INTERRUPT and self.running:
            self.target.interrupt()
        elif mark is Mark.NAK and self.acknowledge:
            self._out += self._last_frame
        elif mark is Mark.CORRUPT and self.acknowledge:
            self._out += b"-"

    def _packet(self, payload: bytes) -> None:
        if self.acknowledge:
            self._out += b"+"
        if not self.running:
            self._answer(payload)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(payload)
        else:
            self._refused += 1

    def _catch_up(self) -> None:
        """Answer what has come in while the target ran."""
        while self._waiting and not self.running and not self.closed:
            self._answer(self._waiting.popleft())
        while self._refused and not self.running and not self.closed:
            self._refused -= 1
            self._send(error_reply(self, RequestError("too many requests while it ran")))

    def _note_thread(self, payload: bytes) -> None:
        """Note which thread is meant by requests that name none, and before which is no Hg."""
        if payload.startswith(_PASSES):
            self._passed = self.general
        elif payload and payload[0] in _OF_A_THREAD:
            self.looked_at, self._passed = self.general, None
        elif not payload.startswith(b"H") and self.general != self._passed:
            self.looked_at = self.general

    def _answer(self, payload: bytes) -> None:
        self._note_thread(payload)
        try:
            reply = commands.execute(self, payload)
        except (RequestError, TargetError) as error:
            reply = error_reply(self, error)
        if reply is not None:
            self._send(reply)
        if nonstop.tells_late(self, payload):
            late, self.late = self.late, []
            for reason in late:
                self._notify(reason)

    def _print(self, text: str) -> None:
        data = text.encode()
        for at in range(0, len(data), _CONSOLE_CHUNK):
            self._send(b"O" + data[at : at + _CONSOLE_CHUNK].hex().encode())

    def _send(self, payload: bytes) -> None:
        self._last_frame = frame(payload)
        self._out += self._last_frame

    def _taken(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data
