"""MEL-55: swap space as profile and command line want it."""

from __future__ import annotations

import pytest

from pykern.kernel.core.units import MIB
from pykern.kernel.task import swapping
from tests.pykern.kernel import hosted


def test_the_command_line_goes_before():
    assert swapping.sizes({}, 5, "lru") == (5, "lru")
    assert swapping.sizes({"swap": "2M", "replacement": "fifo"}, 5, "lru") == (2 * MIB, "fifo")
    assert swapping.sizes({"swap": "0"}, 5, "lru") == (0, "lru")
    with pytest.raises(ValueError, match="much"):
        swapping.sizes({"swap": "much"}, 5, "lru")


def test_proc_tells_of_it(kernel_image):
    """MEL-55: /proc/swaps, /proc/meminfo and /proc/vmstat, in the default profile."""
    system = hosted.idle_system(kernel_image, command_line="swap=8M")
    kernel = system.kernel
    kernel.reclaimer.relieve(3)
    used = kernel.reclaimer.swap.used_bytes >> 10
    assert used > 0
    swaps = hosted.read_file(kernel, "/proc/swaps", 4096).decode().splitlines()
    assert swaps[1].split() == ["/dev/swap", "partition", "8192", str(used), "-2"]
    meminfo = hosted.read_file(kernel, "/proc/meminfo", 4096).decode()
    assert f"SwapTotal:          8192 kB\nSwapFree:       {8192 - used:8} kB\n" in meminfo
    vmstat = dict(
        line.split()
        for line in hosted.read_file(kernel, "/proc/vmstat", 4096).decode().splitlines()
    )
    assert int(vmstat["pswpout"]) == kernel.metrics.swap_outs >= 3
    assert int(vmstat["pgfault"]) == kernel.metrics.page_faults > 0


def test_accessed_bits_are_read_while_frames_are_short(kernel_image):
    """MIC-10: and once more ten milliseconds later, not for ever."""
    system = hosted.idle_system(kernel_image, command_line="swap=8M")
    kernel, samples = system.kernel, []
    kernel.reclaimer.relieve(1)
    real = kernel.reclaimer.sample
    kernel.reclaimer.sample = lambda: samples.append(system.machine.now) or real()
    now = system.machine.now
    system.session.start = lambda: None
    system.session.timeout_ns = now + 100_000_000
    system.session.run()
    assert len(samples) == 1
    assert samples[0] - now == pytest.approx(swapping.SAMPLE_NS, abs=100_000)


@pytest.mark.parametrize("policy", ["lru", "random"])
@pytest.mark.parametrize("cpus", [1, 3])
def test_programs_do_not_notice(kernel_image, policy, cpus):
    """MEL-55, MIC-10, RMP-15: a program finds what it finds on the host, and slots come back."""
    program = hosted.compiled("swapped.c")
    system = hosted.batch(
        kernel_image,
        [[str(program)]],
        {str(program): program.read_bytes()},
        {},
        cpus=cpus,
        memory=30 * MIB,
        command_line=f"swap=128M replacement={policy}",
        timeout_ns=120_000_000_000,
    ).run()
    assert hosted.results(system, 1) == [hosted.on_host(program, [str(program)], {})]
    assert system.kernel.metrics.swap_outs > 1000
    assert system.kernel.metrics.swap_ins > 1000
    spaces = [process.space for process in system.kernel.processes.by_pid.values()]
    swapped = sum(space.statistics().vsz - space.statistics().rss for space in spaces)
    assert system.kernel.reclaimer.swap.used_bytes <= swapped
