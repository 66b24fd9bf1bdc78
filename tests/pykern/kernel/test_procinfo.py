"""What /proc tells of a system that runs."""

from __future__ import annotations

import re

import pytest

from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_RDONLY
from pykern.kernel.fs.open import open_at
from tests.pykern.kernel import hosted


@pytest.fixture(scope="module")
def idle(kernel_image):
    return hosted.idle_system(kernel_image, cpus=2, memory=64 * hosted.MIB)


@pytest.fixture
def read(idle):
    def text(path):
        kernel = idle.kernel
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        file = hosted._finished(open_at(fs, path.encode(), O_RDONLY))
        buffer = BytesBuffer(size=1 << 16)
        while hosted._finished(file.read(buffer)):
            pass
        file.put()
        return buffer.done.decode()

    return text


def test_memory_adds_up(idle, read):
    """MEL-28: in KiB."""
    fields = dict(re.findall(r"(\w+): +(\d+) kB", read("/proc/meminfo")))
    found = idle.kernel.frames.statistics()
    assert int(fields["MemTotal"]) == found.total // 1024
    assert int(fields["MemFree"]) == found.free // 1024
    assert 0.9 * 64 * 1024 < int(fields["MemTotal"]) <= 64 * 1024


def test_processors_are_listed(read):
    """MEL-01."""
    assert re.findall(r"processor\s*: (\d+)", read("/proc/cpuinfo")) == ["0", "1"]


def test_the_first_process_is_described(idle, read):
    """MEL-21, MEL-23."""
    status = read("/proc/1/status")
    assert re.search(r"Name:\s+init\n", status)
    assert re.search(r"State:\s+S", status)
    assert re.search(r"Pid:\s+1\n", status)
    assert read("/proc/1/cmdline") == "/sbin/init\0"
    assert read("/proc/1/stat").startswith("1 (init) S 0 ")
    lines = read("/proc/1/maps").splitlines()
    assert len(lines) == len(list(idle.kernel.processes.first.space.vmas))
    assert not any("wx" in line.split()[1] for line in lines)


def test_uptime_is_virtual(idle, read):
    assert float(read("/proc/uptime").split()[0]) == pytest.approx(idle.machine.now / 1e9, abs=0.02)


def test_interrupts_are_counted(idle, read):
    numbers = [int(n) for n in re.findall(r"\b\d+\b", read("/proc/interrupts"))]
    assert sum(idle.kernel.traps.counts.values()) in numbers or max(numbers) > 0
