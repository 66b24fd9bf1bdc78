"""Whose an address is, by the default image's kernel."""

from __future__ import annotations

import pytest

from images import prebuilt
from pykern.debug.knowledge import Knowledge
from pykern.kernel.host import KernelHost
from tests import booting
from tests.guest import long_mode_machine


def test_without_a_hosted_kernel_only_memory_is_known():
    machine = long_mode_machine("hlt")
    knowledge = Knowledge(machine, KernelHost(machine))
    assert knowledge.owner(machine.vcpus[0], 0x1000) == "physical 0x1000, RAM"
    assert knowledge.owner(machine.vcpus[0], 1 << 40) == ""
    assert "does not run here" in knowledge.log(3)
    assert knowledge.symbol(5) == "0x5"


@pytest.fixture(scope="module")
def shell():
    """The default image when its shell waits, and what is known of it."""
    booting.packaged()
    system = booting.boot(prebuilt.default_image().read_bytes(), cpus=1, timeout_ns=60_000_000)
    host = KernelHost(system.kernel.machine)
    host.kernel = system.kernel
    return Knowledge(host.machine, host), system.kernel


def test_kernel_stacks_and_their_guard_pages(shell):
    knowledge, kernel = shell
    thread = next(t for t in kernel.threads.by_tid.values() if t.stack is not None)
    cpu, stack = kernel.machine.vcpus[0], thread.stack
    name = f"task {thread.tid} ({thread.name})'s kernel stack"
    assert knowledge.owner(cpu, stack.bottom - 16) == f"16 bytes below {name}: guard page"
    assert knowledge.owner(cpu, stack.top - 8) == f"8 bytes below the top of {name}"


def test_ranges_of_the_kernel(shell):
    knowledge, kernel = shell
    cpu = kernel.machine.vcpus[0]
    assert knowledge.owner(cpu, 0xFFFF_8000_0000_1000).endswith(
        "into the direct map of physical memory"
    )
    assert knowledge.owner(cpu, 0xFFFF_FFFF_8000_0010) == "0x10 bytes into the kernel image"
    assert knowledge.owner(cpu, 0xFFFF_A000_0000_0000).endswith("the kernel heap")


def test_the_half_of_programs(shell):
    knowledge, kernel = shell
    said = knowledge.owner(kernel.machine.vcpus[0], 0)
    assert "null pointer" in said or "no program runs here" in said


def test_the_end_of_the_log(shell):
    knowledge, _ = shell
    assert len(knowledge.log(3).splitlines()) == 3
