"""The kernel's own tests, as the MelloOS profile runs them at boot."""

from __future__ import annotations

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.core.bug import KernelBug
from pykern.kernel.integration import selftest
from pykern.kernel.integration.tasks import TASKS
from userland import build as user_build

SMP_TESTS = (
    *("CPU Detection", "AP Bootstrap", "Multi-Core Scheduling", "Load Balancing"),
    *("Cross-Core IPC", "Synchronization"),
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
def programs(tmp_path_factory):
    names = [name for name in user_build.sources() if name.startswith("mellos/")]
    built = user_build.build(tmp_path_factory.mktemp("mellos"), names)
    return {f"/bin/{name}": path.read_bytes() for name, path in built.items()}


@pytest.fixture(scope="module")
def boot(system, programs):
    def run(cpus, **options):
        made = system(files=programs, cpus=cpus, command_line="profile=mellos", **options)
        return made.run()

    return run


@pytest.fixture(scope="module")
def booted(boot):
    return boot(4)


def test_all_tests_pass_and_the_machine_turns_itself_off(booted):
    assert booted.outcome.status == ExitStatus.POWER_OFF, booted.log
    assert booted.log.rstrip().endswith("[KERNEL] All tests passed")


@pytest.mark.parametrize("name", SMP_TESTS)
def test_smp(booted, name):
    """MEL-41."""
    assert f"[TEST] ✓ {name}\n" in booted.log


@pytest.mark.parametrize("name", LEGACY_TESTS)
def test_legacy(booted, name):
    """MEL-42."""
    assert f"[TEST] ✓ {name}\n" in booted.log


def test_the_serial_lines_come_in_their_order(booted):
    """MEL-01, MEL-02, MEL-03, MEL-05, MEL-09, MEL-10, MEL-15, MEL-33, MEL-35."""
    expected = (
        "[MM] Initializing memory management...",
        "[MM] ✓ PMM tests passed",
        "[MM] ✓ Paging tests passed",
        "[MM] ✓ Allocator tests passed",
        "[ACPI] RSDP found at 0x",
        "[ACPI] MADT found at 0x",
        "[SMP] CPUs detected: 4 (apic_ids=[0,1,2,3])",
        "[APIC] BSP LAPIC initialized at 0xFEE00000",
        "[SMP] BSP online (apic_id=0)",
        "[SMP] Trampoline copied to 0x8000",
        *(
            line
            for n in (1, 2, 3)
            for line in (
                f"[SMP] Sending INIT to AP#{n}",
                f"[SMP] Sending SIPI to AP#{n} (vector=0x08)",
                f"[SMP] AP#{n} online",
                f"[APIC] core{n} timer @1000000Hz",
            )
        ),
        *(f"[SCHED] Created task {name} (priority={p})" for name, p in TASKS),
        "[USERLAND] Hello from userland! ✨",
        "[SCHED] send RESCHED IPI → core1",
    )
    place = 0
    for line in expected:
        found = booted.log.find(line, place)
        assert found >= 0, f"{line!r} is not behind what came before it"
        place = found


def test_what_was_done_was_counted(booted):
    """MEL-04, MEL-16: 101 messages of each direction, at least, and tasks that moved."""
    metrics = booted.kernel.metrics
    assert metrics.ipc_sends == metrics.ipc_recvs >= 202
    assert metrics.syscall_count["ipc_send"] >= 201
    assert metrics.syscall_count["sleep"] >= 5
    assert metrics.migrations > 0
    assert metrics.ctx_switches > metrics.preemptions > 0
    assert metrics.sleep_count >= metrics.wake_count > 0
    assert metrics.timer_ticks > 0


def test_the_same_machine_does_the_same(booted, boot):
    again = boot(4)
    assert again.log == booted.log
    assert again.machine.now == booted.machine.now
    assert again.machine.retired == booted.machine.retired


@pytest.mark.parametrize("cpus", [2, 8])
def test_other_numbers_of_processors(boot, cpus):
    """MEL-01."""
    log = boot(cpus).log
    assert f"CPUs detected: {cpus}" in log
    assert log.rstrip().endswith("All tests passed")


def test_more_processors_than_eight_are_refused_with_advice(boot):
    """MEL-01."""
    refused = boot(9)
    assert refused.outcome.status == ExitStatus.PANIC
    assert "9 processors, the mellos profile takes at most 8: use --smp 8" in refused.log


def test_a_self_test_that_fails_stops_the_boot(boot, monkeypatch):
    """MEL-32: the tests can fail."""

    def broken(*_arguments):
        raise KernelBug("a page is writable that must not be")

    monkeypatch.setattr(selftest, "check_paging", broken)
    failed = boot(1)
    assert failed.outcome.status == ExitStatus.PANIC
    assert "✓ PMM tests passed" in failed.log
    assert "Paging: a page is writable that must not be" in failed.log
    assert "Allocator tests passed" not in failed.log
