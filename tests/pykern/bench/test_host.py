"""What a machine costs its host: the figures are right, whatever their values."""

from __future__ import annotations

import os
import subprocess

from pykern.bench import host


def test_a_line_says_what_was_missed() -> None:
    reached = host.Figure("memory", 20, 40, "MiB")
    assert host.line(reached).split() == ["memory", "20.000", "MiB", "below", "40", "MiB"]
    assert host.line(host.Figure("time", 0.2, 0.1, "s")).endswith("MISSED")


def test_memory_of_a_family_is_that_of_all_descendants() -> None:
    script = "exec 3<&0; cat <&3 & echo; wait"
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the child has forked
        family = host._family(process.pid)
        assert len(family) == 2
        assert os.getpid() not in family
        assert all(host._resident_kib(pid) > 0 for pid in family)


def test_a_process_that_has_ended_has_no_memory() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert host._resident_kib(process.pid) == 0
    assert host._family(process.pid) == [process.pid]
