"""The six SMP integration tests of MelloOS (MEL-41), on the running kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.integration.programs import expect
from pykern.kernel.x86.guest_call import guest_call

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from pykern.kernel.integration.programs import Test
    from pykern.kernel.kernel import Kernel

_INCREMENTS, _WORK = 500, 3_000_000
_PORT = 15
_LOCK_SIZE = 64


async def run_threads(kernel: Kernel, bodies: list[Any], cpus: list[int | None]) -> None:
    """Run coroutines as kernel threads, each pinned to a CPU or free, and wait for all."""
    done, left = WaitQueue(), len(bodies)

    async def body(work: Coroutine[Any, Any, None]) -> None:
        nonlocal left
        await work
        left -= 1
        done.wake_all()

    for number, (work, cpu) in enumerate(zip(bodies, cpus, strict=True)):
        if cpu is None:
            kernel.threads.spawn_kernel_thread(f"test/{number}", body(work), priority=5, cpu=0)
        else:
            kernel.threads.spawn_kernel_thread(
                f"test/{number}", body(work), priority=5, cpu=cpu, affinity=1 << cpu
            )
    while left:
        await done.wait()


def _here(kernel: Kernel) -> int:
    """Return the number of the CPU that executes."""
    assert kernel.clock.this_cpu is not None
    return kernel.clock.this_cpu.number


async def cpu_detection(kernel: Kernel) -> None:  # noqa: RUF029 - others of the table wait
    """As many processors as the MADT says, each with its own APIC."""
    wanted = kernel.acpi.apic_ids[: kernel.profile.max_cpus]
    found = tuple(cpu.apic_id for cpu in kernel.cpus)
    expect(found == wanted, f"processors {found}, the MADT says {wanted}")


async def ap_bootstrap(kernel: Kernel) -> None:  # noqa: RUF029 - others of the table wait
    """Every processor has come from real mode into the kernel, on data of its own (MEL-07)."""
    bases = {cpu.base for cpu in kernel.cpus}
    expect(len(bases) == len(kernel.cpus), "two processors share their data")
    for cpu in kernel.cpus:
        expect(cpu.base % 64 == 0, f"{cpu!r}: data at {cpu.base:#x}, not a cache line")
        expect(cpu.vcpu.retired > 0, f"{cpu!r} has executed nothing")
        expect(cpu.vcpu.code_bits == 64, f"{cpu!r} is not in 64-bit mode")


async def multi_core_scheduling(kernel: Kernel) -> None:
    """A thread that is pinned to a processor runs there."""
    seen: list[int] = []

    async def note() -> None:  # noqa: RUF029 - a thread's body
        seen.append(_here(kernel))

    numbers = [cpu.number for cpu in kernel.cpus]
    await run_threads(kernel, [note() for _ in numbers], [*numbers])
    expect(sorted(seen) == numbers, f"threads ran on {sorted(seen)}, pinned to {numbers}")


async def load_balancing(kernel: Kernel) -> None:
    """Threads that all begin on one processor spread over all (MEL-04)."""
    seen: set[int] = set()

    async def work() -> None:
        counter = kernel.heap.kmalloc(_LOCK_SIZE)
        await guest_call(kernel.symbols["locked_count"], 0, counter, _WORK)
        seen.add(_here(kernel))
        kernel.heap.kfree(counter, _LOCK_SIZE)

    before = kernel.metrics.migrations
    count = 2 * len(kernel.cpus)
    await run_threads(kernel, [work() for _ in range(count)], [None] * count)
    if len(kernel.cpus) == 1:
        return
    expect(len(seen) > 1, f"{count} threads all ended on CPU {seen}")
    expect(kernel.metrics.migrations > before, "no thread has moved")


async def cross_core_ipc(kernel: Kernel) -> None:
    """A message crosses from one processor to another (MEL-08)."""
    received: list[bytes] = []

    async def receive() -> None:
        message = await kernel.ports.receive(_PORT)
        received.append(message.data)

    async def send() -> None:  # noqa: RUF029 - a thread's body
        kernel.ports.send(_PORT, b"across")

    last = kernel.cpus[-1].number
    await run_threads(kernel, [receive(), send()], [last, 0])
    expect(received == [b"across"], f"received {received}")


async def synchronization(kernel: Kernel) -> None:
    """Under a spin lock no increment of any processor is lost (MEL-06)."""
    lock, counter = kernel.heap.kmalloc(_LOCK_SIZE), kernel.heap.kmalloc(_LOCK_SIZE)

    async def count() -> None:
        await guest_call(kernel.symbols["locked_count"], lock, counter, _INCREMENTS)

    numbers = [cpu.number for cpu in kernel.cpus]
    await run_threads(kernel, [count() for _ in numbers], [*numbers])
    total = int.from_bytes(kernel.space.read(counter, 8), "little")
    wanted = _INCREMENTS * len(numbers)
    expect(total == wanted, f"counted {total}, expected {wanted}")
    kernel.heap.kfree(lock, _LOCK_SIZE)
    kernel.heap.kfree(counter, _LOCK_SIZE)


TESTS: tuple[Test, ...] = (
    ("CPU Detection", cpu_detection),
    ("AP Bootstrap", ap_bootstrap),
    ("Multi-Core Scheduling", multi_core_scheduling),
    ("Load Balancing", load_balancing),
    ("Cross-Core IPC", cross_core_ipc),
    ("Synchronization", synchronization),
)
