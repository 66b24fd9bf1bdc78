"""The six Phase 4 tests of MelloOS (MEL-42), on the running kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.wait import sleep_until
from pykern.kernel.integration.programs import expect, run_program, status_of
from pykern.kernel.integration.smp import run_threads
from pykern.kernel.x86.guest_call import guest_call

if TYPE_CHECKING:
    from pykern.kernel.integration.programs import Test
    from pykern.kernel.kernel import Kernel

_TICK_NS = 10_000_000
_PROGRAMS = b"/bin/mellos/"
_SETTLE_NS = 50_000_000
_WORK = 100_000
_ROUND_TRIPS = 100


async def priority(kernel: Kernel) -> None:
    """Of threads on one processor the most urgent goes first (7.1; MEL-11)."""
    order: list[int] = []

    async def work(urgency: int) -> None:
        await guest_call(kernel.symbols["locked_count"], 0, counter, _WORK)
        order.append(urgency)

    counter = kernel.heap.kmalloc(64)
    last = kernel.cpus[-1].number
    kernel.scheduler.preempt_disable(last)
    for p in (3, 5, 10):
        kernel.threads.spawn_kernel_thread(
            f"prio/{p}", work(p), priority=p, cpu=last, affinity=1 << last
        )
    if kernel.scheduler.preempt_enable(last):
        kernel.reschedule_soon(last)
    await sleep_until(kernel.clock.now_ns + _SETTLE_NS)
    expect(order == [10, 5, 3], f"threads of priority 3, 5 and 10 ended in the order {order}")
    kernel.heap.kfree(counter, 64)


async def sleep_wake(kernel: Kernel) -> None:
    """A sleeper wakes not before its time, and not two ticks after (7.2; MEL-14)."""
    lateness: list[int] = []

    async def nap() -> None:
        due = kernel.clock.now_ns + 5 * _TICK_NS
        await sleep_until(due)
        lateness.append(kernel.clock.now_ns - due)

    await run_threads(kernel, [nap()], [kernel.cpus[-1].number])
    expect(0 <= lateness[0] < 2 * _TICK_NS, f"woke {lateness[0]} ns after its time")


async def syscall_write_sleep(kernel: Kernel) -> None:
    """A program writes and sleeps by int 0x80 (7.3; MEL-12)."""
    slept = kernel.metrics.sleep_count
    expect(await run_program(kernel, _PROGRAMS + b"sleeper") == 0, "sleeper failed")
    expect(kernel.metrics.sleep_count > slept, "no sleep was counted")


async def ipc_sender_receiver(kernel: Kernel) -> None:
    """What a sender sends arrives at a receiver (7.4; MEL-37)."""
    sender = await kernel.usermode.spawn(_PROGRAMS + b"sender")
    message = await kernel.ports.receive(2)
    expect(message.data == b"ping", f"received {message.data!r}")
    kernel.kill(sender)
    await status_of(sender)


async def ipc_stress(kernel: Kernel) -> None:
    """100 messages there and back (7.5)."""
    pong = await kernel.usermode.spawn(_PROGRAMS + b"pong")
    sends = kernel.metrics.ipc_sends
    expect(await run_program(kernel, _PROGRAMS + b"ping") == 0, "ping failed")
    expect(kernel.metrics.ipc_sends - sends >= 2 * _ROUND_TRIPS, "messages are missing")
    kernel.kill(pong)
    await status_of(pong)


async def init_end_to_end(kernel: Kernel) -> None:  # noqa: RUF029 - others of the table wait
    """The first process is there, is number 1, and runs in user mode (7.6; MEL-15, MEL-47)."""
    first = kernel.processes.first
    expect(first is not None and first.pid == 1 and first.alive, "process 1 is not there")
    assert first is not None
    frame = first.threads[0].frame
    expect(frame["cs"] & 3 == 3, f"its CS is {frame['cs']:#x}")
    expect(0x400000 <= frame["rip"] < 0x500000, f"its RIP is {frame['rip']:#x}")


TESTS: tuple[Test, ...] = (
    ("7.1 Priority scheduling", priority),
    ("7.2 Sleep and wake", sleep_wake),
    ("7.3 System calls: write and sleep", syscall_write_sleep),
    ("7.4 IPC sender and receiver", ipc_sender_receiver),
    ("7.5 IPC stress", ipc_stress),
    ("7.6 Init end to end", init_end_to_end),
)
