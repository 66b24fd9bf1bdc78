"""What happened when, as a picture: `boot --timeline FILE.json`.

A track for each processor shows which task it ran and its interrupts, a track for each task its
system calls and faults; arrows are messages between tasks, and tasks that change the processor;
counters are run queues, memory by owner and frames between nodes (`gauges.py`). All times are
virtual. Nothing is paid for where no timeline is kept.
"""

from __future__ import annotations

from collections import deque
from itertools import starmap
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.gauges import Gauges
from pykern.kernel.trace_events import TraceEvents, Track
from pykern.kernel.x86 import layout, vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.thread import Thread
    from pykern.kernel.x86.processor import Processor
    from pykern_c import Machine

    Serve = Callable[[Processor], None]

PROCESSORS = 1 << 22
"""The process that the tracks of processors are in: no PID is so high (Linux's PID_MAX_LIMIT)."""
KERNEL = PROCESSORS + 1
"""That of the kernel's threads."""
_RDI = 7
_VECTOR_NAMES = {
    vectors.TIMER: "timer",
    vectors.RESCHEDULE: "reschedule",
    vectors.SPURIOUS: "spurious",
    vectors.APIC_ERROR: "APIC error",
}
_INTERRUPT, _PAGE_FAULT = "do_irq", "do_page_fault"
_EXCEPTIONS = {f"do_{name}" for name in layout.EXCEPTIONS.values()}


class _Running(NamedTuple):
    thread: Thread
    since_ns: int


class Timeline:
    """Keeps the timeline of one machine, over all its restarts.

    Parameters
    ----------
    machine : whose time it is
    out : takes the text
    """

    def __init__(self, machine: Machine, out: TextIO) -> None:
        self._machine = machine
        self._events = TraceEvents(out)
        self._kernel: Kernel | None = None
        self._running: dict[int, _Running] = {}
        self._last: dict[Thread, tuple[int, int]] = {}
        self._calls: dict[Thread, tuple[str, int]] = {}
        self._gauges: Gauges | None = None
        self._count = 0
        self._events.name_process(PROCESSORS, "processors", -2)
        self._events.name_process(KERNEL, "kernel", -1)

    def watch(self, kernel: Kernel) -> None:
        """Go on with a kernel that has just been made, behind the one before."""
        self._end_open()
        self._kernel = kernel
        self._gauges = None
        self._last.clear()
        kernel.timeline = self

    def close(self) -> None:
        """End the file."""
        self._end_open()
        if self._gauges is not None:
            self._gauges.read_memory(self._machine.now)
        self._events.close()

    def _end_open(self) -> None:
        for number in list(self._running):
            self._end_run(number)
        for thread in list(self._calls):
            self._end_call(thread, unfinished=True)

    def _track(self, thread: Thread) -> Track:
        """Return the track of a task, under the name it has now."""
        process = thread.process
        track = Track(KERNEL if process is None else process.pid, thread.tid)
        if process is not None:
            self._events.name_process(process.pid, process.name, process.pid)
        self._events.name_track(track, thread.name)
        return track

    # -- who runs

    def switched(self, cpu: Processor, thread: Thread) -> None:
        """Note that a processor goes on with a task."""
        now = self._machine.now
        number = cpu.number
        self._end_run(number)
        self._read_gauges()
        if thread is cpu.idle:
            return
        last = self._last.get(thread)
        if last is not None and last[0] != number:
            begin = Track(PROCESSORS, last[0]), last[1]
            self._arrow("migration", begin, (Track(PROCESSORS, number), now))
        self._running[number] = _Running(thread, now)

    def _read_gauges(self) -> None:
        kernel = self._kernel
        if self._gauges is None:
            if kernel is None or not kernel.cpus or not hasattr(kernel, "scheduler"):
                return
            self._gauges = Gauges(kernel, self._events, Track(PROCESSORS, 0))
        self._gauges.read(self._machine.now)

    def _end_run(self, number: int) -> None:
        running = self._running.pop(number, None)
        if running is None:
            return
        now, track = self._machine.now, Track(PROCESSORS, number)
        thread = running.thread
        self._events.name_track(track, f"CPU {number}")
        self._events.span(track, thread.name, running.since_ns, now, "run", tid=thread.tid)
        self._last[thread] = (number, now)

    def _arrow(self, name: str, begin: tuple[Track, int], end: tuple[Track, int]) -> None:
        self._count += 1
        self._events.arrow(name, self._count, begin, end)

    def step(self, name: str, begin_ns: int, end_ns: int) -> None:
        """Note a step of the way up."""
        track = Track(KERNEL, 0)
        self._events.name_track(track, "boot")
        self._events.span(track, name, begin_ns, end_ns, "boot")

    def marker(self, name: str) -> None:
        """Note a point that the way up has come to."""
        self._events.instant(Track(KERNEL, 0), name, self._machine.now, "boot")

    # -- what is called

    def watched(self, symbols: Sequence[str], table: Sequence[Serve]) -> list[Serve]:
        """Return hosted functions that note when they are called.

        Parameters
        ----------
        symbols : names of those in the table, in its order
        """
        return list(starmap(self._watched, zip(symbols, table, strict=True)))

    def _watched(self, symbol: str, serve: Serve) -> Serve:
        if symbol.startswith("sys_"):
            return self._call(symbol.removeprefix("sys_"), serve)
        if symbol == _INTERRUPT:
            return self._interrupt(serve)
        if symbol in _EXCEPTIONS:
            return self._exception(symbol.removeprefix("do_"), serve)
        return serve

    def _call(self, name: str, serve: Serve) -> Serve:
        def call(cpu: Processor) -> None:
            thread = cpu.current
            self._end_call(thread)
            self._calls[thread] = (name, self._machine.now)
            depth = len(thread.hosted)
            serve(cpu)
            if len(thread.hosted) == depth:
                self._end_call(thread)
                return
            hosted = thread.hosted[-1]
            finish = hosted.finish

            def finished(result: object, error: BaseException | None) -> None:
                self._end_call(thread)
                finish(result, error)

            hosted.finish = finished

        return call

    def _end_call(self, thread: Thread, *, unfinished: bool = False) -> None:
        call = self._calls.pop(thread, None)
        if call is None:
            return
        self._read_gauges()
        name, begin_ns = call
        more = {"unfinished": True} if unfinished else {}
        now = self._machine.now
        self._events.span(self._track(thread), name, begin_ns, now, "syscall", **more)

    def _interrupt(self, serve: Serve) -> Serve:
        def interrupt(cpu: Processor) -> None:
            assert self._kernel is not None
            self._read_gauges()
            vector = self._kernel.frame_at(cpu, cpu.gprs[_RDI])["vector"]
            name = _VECTOR_NAMES.get(vector, f"vector {vector:#x}")
            track = Track(PROCESSORS, cpu.number)
            self._events.instant(track, name, self._machine.now, "interrupt", vector=vector)
            serve(cpu)

        return interrupt

    def _exception(self, name: str, serve: Serve) -> Serve:
        def exception(cpu: Processor) -> None:
            assert self._kernel is not None
            self._read_gauges()
            frame = self._kernel.frame_at(cpu, cpu.gprs[_RDI])
            what = {"rip": f"{frame['rip']:#x}", "error_code": f"{frame['error_code']:#x}"}
            if name == _PAGE_FAULT.removeprefix("do_"):
                what["address"] = f"{cpu.vcpu.read_register('cr2'):#x}"
            track = self._track(cpu.current)
            self._events.instant(track, name, self._machine.now, "fault", **what)
            serve(cpu)

        return exception

    # -- messages

    def messages(self, what: str) -> MessageArrows:
        """Return what notes messages that go to things of a kind, such as "port"."""
        return MessageArrows(self, what)

    def message_event(self, name: str, size: int) -> tuple[Track, int] | None:
        """Note that the task that runs sends or receives; return where it is drawn.

        Parameters
        ----------
        size : bytes
        """
        cpu = self._kernel.clock.this_cpu if self._kernel is not None else None
        if cpu is None:
            return None
        now, track = self._machine.now, self._track(cpu.current)
        self._events.instant(track, name, now, "ipc", bytes=size)
        return track, now

    def message_arrow(self, begin: tuple[Track, int], end: tuple[Track, int]) -> None:
        """Draw the way of a message."""
        self._arrow("message", begin, end)


class MessageArrows:
    """Notes the messages of one table of queues, each of which is first in, first out.

    Parameters
    ----------
    timeline : draws them
    what : a queue is
    """

    def __init__(self, timeline: Timeline, what: str) -> None:
        self._timeline, self._what = timeline, what
        self._sent: dict[int, deque[tuple[int, tuple[Track, int] | None]]] = {}

    def sent(self, number: int, size: int) -> None:
        """Note that the task that runs has sent a message."""
        where = self._timeline.message_event(f"send to {self._what} {number}", size)
        self._sent.setdefault(number, deque()).append((size, where))

    def received(self, number: int) -> None:
        """Note that the task that runs has received the first message."""
        messages = self._sent.get(number)
        if not messages:
            return
        size, begin = messages.popleft()
        end = self._timeline.message_event(f"receive from {self._what} {number}", size)
        if begin is not None and end is not None:
            self._timeline.message_arrow(begin, end)

    def closed(self, number: int) -> None:
        """Forget what nobody will receive."""
        self._sent.pop(number, None)
