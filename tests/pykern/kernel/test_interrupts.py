"""Interrupt lines on a machine: routing, and handlers that run as threads."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.drivers import hpet
from pykern.kernel.integration.story import Story
from pykern.kernel.x86 import vectors
from pykern.kernel.x86.ioapic import MASKED

GSI = 21


@pytest.fixture
def run(system, monkeypatch):
    """Return what runs a coroutine function of the kernel, with the HPET as a source."""

    def run_body(body, cpus=1):
        async def main_(story):
            kernel = story.kernel
            timer = hpet.find(kernel.acpi, lambda: kernel.acting)
            timer.start()

            async def ring(times=1):
                for _ in range(times):
                    assert timer.arm(1, GSI, timer.counter + timer.counts(100_000))
                    await sleep_until(kernel.clock.now_ns + 200_000)

            await body(kernel, ring)
            kernel.power_off()

        monkeypatch.setattr(Story, "main", main_)
        made = system(cpus=cpus, timeout_ns=2_000_000_000).run()
        assert (made.outcome.status, made.outcome.lines) == (0, ()), made.log
        return made

    return run_body


def test_a_line_is_handled_by_a_thread(run):
    """SCA-26: the handler at once, in the interrupt; the work after it, in a thread of its own."""
    order = []

    async def body(kernel, ring):
        def handler(cpu):
            order.append(("handler", cpu.current.name))
            return len(order) < 4

        async def work():
            await sleep_until(kernel.clock.now_ns + 1000)
            order.append(("work", kernel.clock.this_cpu.current.name))

        line = kernel.interrupts.request(GSI, "test", handler, work, priority=0)
        await ring(3)
        assert (line.count, line.runs) == (3, 2)
        assert line.thread.name == "irq/21-test"
        kernel.interrupts.free(GSI)
        assert kernel.machine.apics.ioapic.entry(GSI) & MASKED
        await ring()
        assert line.count == 3
        assert line.thread.tid not in kernel.threads.by_tid

    run(body)
    names = [name for name, _ in order]
    assert names == ["handler", "work", "handler", "work", "handler"]
    assert {thread for name, thread in order if name == "work"} == {"irq/21-test"}
    assert all(thread != "irq/21-test" for name, thread in order if name == "handler")


def test_a_line_is_sent_to_the_processor_that_is_chosen(run):
    """SCA-26, MYR-24: the redirection table of the I/O APIC says which."""
    seen = []

    async def body(kernel, ring):
        kernel.interrupts.request(GSI, "test", lambda cpu: seen.append(cpu.number))
        await ring()
        kernel.interrupts.set_affinity(GSI, 1)
        await ring()
        with pytest.raises(SysError, match="processor 2 of 2"):
            kernel.interrupts.set_affinity(GSI, 2)
        kernel.interrupts.set_affinity(GSI, 0)
        await ring()

    made = run(body, cpus=2)
    assert seen == [0, 1, 0]
    vector = vectors.FIRST_ISA + GSI
    assert made.kernel.traps.counts[vector, 0] == 2
    assert made.kernel.traps.counts[vector, 1] == 1


def test_what_is_wrong_is_refused(run):
    """SCA-26."""

    async def body(kernel, ring):
        kernel.interrupts.request(GSI, "one")
        for gsi, error in ((GSI, Errno.EBUSY), (24, Errno.EINVAL), (99, Errno.EINVAL)):
            with pytest.raises(SysError) as refused:
                kernel.interrupts.request(gsi, "two")
            assert refused.value.errno is error
        with pytest.raises(SysError, match="nobody handles interrupt 5"):
            kernel.interrupts.free(5)
        await ring()

    run(body)
