"""System calls: as those of Linux, and with hostile arguments nothing but the caller is harmed."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.pykern.kernel import hosted

_FILES = {"data": b"x" * 5000}


def _run(kernel_image, commands, **options):
    programs = {word for command in commands for word in command if word.startswith("/")}
    files = {path: hosted.Path(path).read_bytes() for path in programs}
    return hosted.batch(kernel_image, commands, files, _FILES, **options).run()


@pytest.mark.parametrize("seed", range(4))
def test_hostile_calls_harm_nobody_else(kernel_image, seed):
    """MEL-48, MEL-50: 6000 calls; a bystander's checksum is right, tables are empty."""
    fuzz = str(hosted.compiled("fuzz.c"))
    system = _run(kernel_image, [[fuzz, str(seed), "20", "300"]], cpus=2)
    assert hosted.results(system, 1) == [hosted.Result(b"bystander: exited 0\n", 0)], system.log
    kernel = system.kernel
    assert sum(kernel.metrics.syscall_count.values()) > 2000
    assert list(kernel.processes.by_pid) == [1]
    assert [t.tid for t in kernel.threads.by_tid.values() if t.process is not None] == [1]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_hostile_calls_by_the_hour(kernel_image, seed):
    fuzz = str(hosted.compiled("fuzz.c"))
    system = _run(kernel_image, [[fuzz, str(seed), "50", "1000"]], cpus=1 + seed % 4)
    assert hosted.results(system, 1) == [hosted.Result(b"bystander: exited 0\n", 0)], system.log


def _left(system):
    """Return what a system holds that programs could have left behind."""
    kernel = system.kernel
    return {
        "frames": kernel.frames.statistics().free,
        "processes": sorted(kernel.processes.by_pid),
        "threads": sum(t.process is not None for t in kernel.threads.by_tid.values()),
        "heap": kernel.heap.statistics().used,
        "futexes": len(kernel.futexes._queues),
        "files": sorted(number for number, _ in kernel.processes.first.files),
    }


@pytest.mark.parametrize(
    "program",
    [
        *("process.c", "threads.c", "memory.c", "signals.c", "jobs.c", "fpu.c", "ready.c"),
        *("queued.c", "identity.c", "transfer.c", "sockets.c", "mapping.c", "life.c", "timers.c"),
        "watches.c",
    ],
)
def test_programs_leave_nothing_behind(kernel_image, program):
    """MEL-22, MEL-24: after one run and after three there is as much of everything."""
    path = str(hosted.compiled(program))
    once, thrice = (_run(kernel_image, [[path]] * count, cpus=2) for count in (1, 3))
    assert [r.status for r in hosted.results(thrice, 3)] == [hosted.results(once, 1)[0].status] * 3
    assert _left(thrice) == _left(once)


@pytest.mark.skipif(os.geteuid() != 0, reason="the host lets only user 0 become another")
@pytest.mark.parametrize("cpus", [1, 2])
def test_users_and_groups_are_those_of_linux(on_both, cpus):
    """MEL-47, MEL-48: who may become whom, open which file, signal whom, run what as whom."""
    expected, found = on_both("identity.c", cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0


def test_the_names_and_the_clock_of_the_system_can_be_set(kernel_image):
    """MEL-47: by user 0; the host's are left alone, so that there is no oracle."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox on this host")
    script = (
        "B=/usr/bin/busybox; $B hostname box; $B hostname; $B uname -n;"
        " $B cat /proc/sys/kernel/hostname; $B date -u -s '2001-02-03 04:05:06' >/dev/null;"
        " $B date -u +%Y-%m-%d"
    )
    command = [busybox, "sh", "-c", script]
    files = {busybox: hosted.Path(busybox).read_bytes()}
    system = hosted.batch(kernel_image, [command], files, {}).run()
    assert hosted.results(system, 1)[0].stdout == b"box\nbox\nbox\n2001-02-03\n"


def test_a_port_is_closed_by_its_owner(in_kernel):
    """MEL-13, MEL-50: another process may send to it; what is read-only stays what it was."""
    result = in_kernel("ports.c")
    assert result.stdout.decode().splitlines() == [
        "another closes it: EPERM",
        "another sends: done",
        "received where nothing may be written: EFAULT",
        "received: done",
        "hello, read only",
        "closed: done",
        "sent to nobody: ENOENT",
    ]
