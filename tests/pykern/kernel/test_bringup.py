"""From the first instruction to the first program: what processors have when the kernel is up."""

from __future__ import annotations

import pytest

from images import prebuilt
from pykern.kernel.core.bug import KernelPanic
from pykern.kernel.drivers.serial import COM1
from pykern.kernel.x86 import layout, vectors
from pykern.kernel.x86.guest_call import guest_call
from tests import booting

NS_PER_S = 1_000_000_000
STUB_GATE = 0x8E
USER_GATE = 0xEE


@pytest.fixture(scope="module")
def sleeping(system):
    """Return a system whose first program sleeps, run for a moment."""

    def make(cpus: int = 4, seed: int = 0):
        booting.packaged()
        program = prebuilt.programs()["sleep"].read_bytes()
        made = system(
            files={"/bin/sleep": program},
            cpus=cpus,
            seed=seed,
            command_line="init=/bin/sleep -- 1000",
            timeout_ns=NS_PER_S // 5,
        )
        return made.run()

    return make


def look_for_threads(system) -> None:
    """Go on with a run, every processor beginning with a look at its run queue."""
    system.session.start = lambda: None
    for cpu in system.kernel.cpus:
        system.kernel.reschedule_soon(cpu.number)


def count(system, threads: int, times: int, lock: int) -> int:
    """Let kernel threads on all processors add 1 to one counter; return what it comes to."""
    kernel, left = system.kernel, []
    counter = kernel.heap.kmalloc(64)

    async def body():
        await guest_call(kernel.symbols["locked_count"], lock, counter, times)
        left.pop()

    for number in range(threads):
        left.append(number)
        cpu = number % len(kernel.cpus)
        kernel.threads.spawn_kernel_thread(f"count/{number}", body(), cpu=cpu, affinity=1 << cpu)
    look_for_threads(system)
    while left:
        system.session.timeout_ns = system.machine.now + NS_PER_S // 10
        system.run()
        assert system.machine.now < 20 * NS_PER_S
    return int.from_bytes(kernel.space.read(counter, 8), "little")


def test_no_increment_under_a_spin_lock_is_lost(sleeping):
    """MEL-06: N processors x M increments."""
    system = sleeping()
    lock = system.kernel.heap.kmalloc(64)
    assert count(system, 8, 2000, lock) == 8 * 2000


def test_without_the_lock_increments_are_lost(sleeping):
    """MEL-06: so the test above could fail, and some interleaving shows the race."""
    totals = [count(sleeping(seed=seed), 8, 20_000, 0) for seed in range(3)]
    assert min(totals) < 8 * 20_000


def test_interrupts_are_on_again_behind_the_lock(sleeping):
    """MEL-06: the variant for interrupts gives back the flags that it found."""
    system = sleeping(cpus=1)
    count(system, 1, 10, system.kernel.heap.kmalloc(64))
    assert system.machine.vcpus[0].read_register("rflags") & layout.RFLAGS["IF"]


def test_each_processor_has_data_of_its_own_in_cache_lines_of_its_own(sleeping):
    """MEL-07."""
    system = sleeping()
    bases = [vcpu.read_register("gs.base") for vcpu in system.machine.vcpus]
    bases += [vcpu.read_register("kernel_gs_base") for vcpu in system.machine.vcpus]
    in_kernel = sorted(base for base in bases if base >> 63)
    assert in_kernel == sorted(cpu.base for cpu in system.kernel.cpus)
    assert len(set(in_kernel)) == 4
    assert all(base % 64 == 0 for base in in_kernel)


def test_a_message_crosses_processors(sleeping):
    """MEL-08: sender and receiver on different processors."""
    system = sleeping()
    kernel, seen = system.kernel, {}
    port = kernel.ports.create()

    async def receive():
        message = await kernel.ports.receive(port)
        seen["received"] = message.data, kernel.clock.this_cpu.number

    async def send():  # noqa: RUF029 - a thread's body
        kernel.ports.send(port, b"payload")
        seen["sent"] = kernel.clock.this_cpu.number

    kernel.threads.spawn_kernel_thread("receive", receive(), cpu=3, affinity=8)
    kernel.threads.spawn_kernel_thread("send", send(), cpu=1, affinity=2)
    look_for_threads(system)
    system.session.timeout_ns = system.machine.now + NS_PER_S // 10
    system.run()
    assert seen == {"received": (b"payload", 3), "sent": 1}


def test_vectors(sleeping):
    """MEL-39: exceptions, the PIT and the keyboard where they were, int 0x80 open to programs."""
    system = sleeping(cpus=2)
    kernel, vcpu = system.kernel, system.machine.vcpus[1]
    assert (vectors.FIRST_ISA, vectors.FIRST_ISA + 1, vectors.SYSTEM_CALL) == (32, 33, 128)
    table = vcpu.read_linear(vcpu.read_register("idtr.base"), 256 * 16)
    stubs = kernel.symbols["vector_stubs"]
    for vector in range(256):
        gate = table[16 * vector : 16 * vector + 16]
        target = int.from_bytes(gate[:2] + gate[6:12], "little")
        assert target == stubs + vector * layout.VECTOR_STUB_SIZE
        assert gate[5] == (USER_GATE if vector in {3, 4, 0x80} else STUB_GATE)


def test_the_log_goes_to_com1(sleeping):
    """MEL-31."""
    system = sleeping(cpus=1)
    assert COM1 == 0x3F8
    assert system.log.startswith("[MM] Initializing memory management...\n")
    before = len(system.serial)
    system.kernel.log.subsystem("TEST").info("a line")
    assert bytes(system.serial[before:]) == b"[TEST] a line\r\n"


def test_a_panic_says_why_and_stops_the_machine(sleeping):
    """MEL-32: text on the console, and an exit that is not 0."""
    system = sleeping(cpus=1)
    cpu = system.kernel.cpus[0]
    with pytest.raises(KernelPanic, match="for a test"):
        system.kernel.panic(cpu, "for a test")
    assert "[PANIC] ERROR: for a test (CPU 0, thread " in system.log
    exit_ = system.machine.run()
    assert (exit_.reason.name, exit_.what) == ("STOPPED", "panic")


def test_processors_that_are_not_there_are_not_waited_for(sleeping):
    """MEL-01: as many as the MADT lists."""
    for cpus in (1, 3):
        assert len(sleeping(cpus=cpus).kernel.cpus) == cpus
