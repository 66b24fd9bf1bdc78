"""MelloOS's feature list on its profile: log, self-tests, system call log, metrics, screen."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.drivers.screen_text import read_text
from pykern.kernel.run_metrics import run_metrics
from pykern.kernel.x86 import vectors
from tests import booting
from tests.golden_log import difference

GOLDEN = Path(__file__).parents[2] / "golden" / "mellos"
CPUS = (1, 2, 4, 8)
SMP_TESTS = (
    "CPU Detection",
    "AP Bootstrap",
    "Multi-Core Scheduling",
    "Load Balancing",
    "Cross-Core IPC",
    "Synchronization",
)
LEGACY_TESTS = (
    "7.1 Priority scheduling",
    "7.2 Sleep and wake",
    "7.3 System calls: write and sleep",
    "7.4 IPC sender and receiver",
    "7.5 IPC stress",
    "7.6 Init end to end",
)


@pytest.fixture(scope="module")
def iso():
    return booting.image("mellos")


@pytest.fixture(scope="module")
def booted(iso):
    """Return what boots with a number of processors, once for each."""
    return functools.cache(lambda cpus: booting.boot(iso, cpus=cpus))


def test_the_boot_processor_ticks_100_times_a_second(booted):
    """MEL-18, MEL-39: by the PIT at vector 0x20, busy or not; the others by their own timers."""
    kernel, machine = booted(2).kernel, booted(2).computer.machine
    ticks = [cpu.timer_ticks for cpu in kernel.metrics.cpus]
    counts = kernel.traps.counts
    assert ticks[0] == counts[vectors.FIRST_ISA, 0] == pytest.approx(machine.now / 1e7, abs=3)
    assert 0 < ticks[1] <= counts[vectors.TIMER, 1]
    assert (vectors.FIRST_ISA, 1) not in counts


@pytest.fixture(scope="module")
def verbose(iso):
    return booting.boot(iso, cpus=2, append="loglevel=debug")


@pytest.mark.parametrize("cpus", CPUS)
def test_the_log_is_that_of_mellos(booted, cpus):
    """MEL-33; MEL-01, MEL-02, MEL-03, MEL-05, MEL-09, MEL-10, MEL-15, MEL-24 to MEL-26, MEL-35."""
    golden = (GOLDEN / f"smp{cpus}.txt").read_text(encoding="utf-8")
    assert difference(golden, booted(cpus).log) is None
    assert booted(cpus).outcome.status == ExitStatus.POWER_OFF


def test_every_call_does_and_refuses_what_it_must(iso):
    """MEL-12, MEL-13, MEL-50: a program tries the five, and the limits of ports."""
    log = booting.boot(iso, append="init=/bin/mellos/calls").log
    assert "FAIL" not in log
    assert "ok   a queue takes 16 messages and no more\n" in log
    assert "\ncalls: 0 failures\n" in log


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_order_of_the_processors_passes_too(iso, seed):
    """MEL-33, MEL-41, MEL-42: what depends on the seed is not what the tests look at."""
    golden = (GOLDEN / "smp4.txt").read_text(encoding="utf-8")
    assert difference(golden, booting.boot(iso, cpus=4, seed=seed).log) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda log: log.replace("0x8000\n", "0x9000\n"),
        lambda log: log.replace("[SMP] AP#1 online\n", ""),
        lambda log: log.replace("[SCHED][core1] run C\n", "noise\n[SCHED][core1] run C\n"),
        lambda log: log.replace("RSDP found at 0x", "RSDP found at 0xz"),
        lambda log: log.replace("All tests", "Some tests"),
    ],
)
def test_another_log_is_not(booted, wrong):
    golden = (GOLDEN / "smp4.txt").read_text(encoding="utf-8")
    changed = wrong(booted(4).log)
    assert changed != booted(4).log
    assert difference(golden, changed)


@pytest.mark.parametrize("cpus", CPUS)
@pytest.mark.parametrize("name", SMP_TESTS)
def test_smp(booted, name, cpus):
    """MEL-41: the six integration tests, which the kernel runs on itself."""
    assert f"[TEST] ✓ {name}\n" in booted(cpus).log


@pytest.mark.parametrize("cpus", CPUS)
@pytest.mark.parametrize("name", LEGACY_TESTS)
def test_legacy(booted, name, cpus):
    """MEL-42: the six tests of Phase 4."""
    assert f"[TEST] ✓ {name}\n" in booted(cpus).log


def test_a_self_test_that_fails_stops_the_kernel(iso, monkeypatch):
    """MEL-41, MEL-42: what the tests above rely on: the mark is not printed for nothing."""
    monkeypatch.setattr("pykern.kernel.integration.legacy._ROUND_TRIPS", 101)
    booted = booting.boot(iso, cpus=2)
    assert "✓ 7.4" in booted.log
    assert "✓ 7.5" not in booted.log
    assert "messages are missing" in booted.log
    assert booted.outcome.status == ExitStatus.PANIC


def test_nine_processors_are_refused(iso):
    """MEL-01: with a message that says what to do."""
    booted = booting.boot(iso, cpus=9)
    assert booted.outcome.status == ExitStatus.PANIC
    assert "9 processors, the mellos profile takes at most 8: use --smp 8" in booted.log
    assert "Phase 5" not in booted.log


@pytest.mark.parametrize("megabytes", [64, 100, 512, 4096])
def test_memory(iso, megabytes):
    """MEL-28: the number is that of -m."""
    booted = booting.boot(iso, memory=megabytes * booting.MIB, timeout_ns=50_000_000)
    assert f"[MM] INFO: Total memory: {megabytes} MB\n" in booted.log


def test_hello_is_on_the_screen(booted):
    """MEL-30, read from the picture by the font; the log stands below."""
    lines = booted(4).screen.splitlines()
    assert lines[0] == "Hello from MelloOS ✨"
    assert lines[1:] == booted(4).log.splitlines()


# -- system calls are logged


def test_system_calls_are_logged_when_asked(verbose, booted):
    """MEL-34."""
    assert "[SYSCALL] Task 1 invoked SYS_WRITE (id=0)\n" in verbose.log
    assert "[SYSCALL] Task 1 invoked SYS_SLEEP (id=2)\n" in verbose.log
    assert "[SYSCALL]" not in booted(2).log


@pytest.mark.parametrize(
    ("name", "number"), [("WRITE", 0), ("EXIT", 1), ("SLEEP", 2), ("IPC_SEND", 3), ("IPC_RECV", 4)]
)
def test_every_call_is_logged_as_often_as_it_is_counted(verbose, name, number):
    """MEL-12, MEL-16, MEL-34: log and metrics are two witnesses of one thing."""
    logged = verbose.log.count(f" invoked SYS_{name} (id={number})\n")
    assert logged == verbose.kernel.metrics.syscall_count[name.lower()] > 0


def test_an_unknown_log_level_is_named(iso):
    booted = booting.boot(iso, append="loglevel=loud", timeout_ns=50_000_000)
    assert "loglevel=loud: expected one of debug, info, warn, error" in booted.log


# -- metrics


def test_metrics_are_those_of_the_workload(booted):
    """MEL-16: what the shipped programs and tests do, counted by hand."""
    metrics = booted(2).kernel.metrics
    calls = {name: count for name, count in metrics.syscall_count.items() if count}
    assert set(calls) == {"write", "exit", "sleep", "ipc_send", "ipc_recv"}
    # `sleeper` writes 5 rounds and one line more, init and `ping` a line each.
    assert calls["exit"] == 2  # sleeper and ping; sender, pong and init never end by themselves
    # 100 there, 100 back, the sender's, and the kernel's own across two processors.
    assert (metrics.ipc_sends, metrics.ipc_recvs) == (202, 202)
    assert metrics.ipc_queue_full == 0
    assert metrics.wake_count <= metrics.sleep_count
    assert metrics.timer_ticks == sum(cpu.timer_ticks for cpu in metrics.cpus)
    assert metrics.ctx_switches == sum(cpu.ctx_switches for cpu in metrics.cpus)


def test_metrics_and_screen_are_written(iso, tmp_path, capfdbinary, booted):
    """MEL-16: `--metrics FILE.json`; the same boot counts the same. MEL-30: `--screenshot PNG`."""
    (tmp_path / "m.iso").write_bytes(iso)
    out, png = tmp_path / "metrics.json", tmp_path / "screen.png"
    command = ["boot", str(tmp_path / "m.iso"), "-m", "64M", "--smp", "2"]
    assert main([*command, "--metrics", str(out), "--screenshot", str(png)]) == 0
    with Image.open(png) as picture:
        assert read_text(np.asarray(picture)) == booted(2).screen
    assert capfdbinary.readouterr().out == booted(2).serial
    assert out.read_text() == run_metrics(booted(2).kernel)
    assert booted(2).kernel.metrics.as_dict().items() <= json.loads(out.read_text()).items()
