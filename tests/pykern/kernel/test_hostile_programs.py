"""Programs that do what they must not are killed and explained, and the others do not notice."""

from __future__ import annotations

import re

import pytest

from pykern.exit_status import ExitStatus
from tests import booting
from tests.pykern.kernel import hosted

# What is printed when nothing has changed the numbers of `guests/checksum.c`.
MASK = (1 << 64) - 1
MIB = 1 << 20
ROUNDS = 150


def checksum():
    state, total = 1, 0
    for _ in range(1 << 15):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        total = (total * 31 + state) & MASK
    return f"checksum {total:016x}"


@pytest.fixture(scope="module")
def boot():
    """Return what types commands on the default image, beside a program that watches its memory."""
    booting.packaged()
    iso = booting.prebuilt.default_image().read_bytes()
    files = {"/bin/checksum": hosted.compiled("checksum.c").read_bytes()}

    def run(*commands):
        typed = "\n".join([f"checksum {ROUNDS} &", *commands, "wait", "poweroff\n"])
        return booting.boot(iso, cpus=2, memory=32 * MIB, typed=typed.encode(), files=files)

    return run


def assert_unharmed(system):
    """The watched memory is as it was, and the system was turned off in order."""
    assert checksum() in system.log, system.log[-2000:]
    assert system.outcome.status == ExitStatus.POWER_OFF


FAULTS = {
    "null": "SIGSEGV",
    "kernel": "SIGSEGV",
    "nx-data": "SIGSEGV",
    "nx-stack": "SIGSEGV",
    "text": "SIGSEGV",
    "stack": "SIGSEGV",
    "div": "SIGFPE",
    "ud": "SIGILL",
    "privileged": "SIGSEGV",
    "port": "SIGSEGV",
    "noncanonical": "SIGSEGV",
}


def test_faults_end_their_program_and_no_other(boot):
    """MIC-06, MEL-25, MEL-27, MEL-48: each is killed and the log says by what it was."""
    system = boot(*(f"fault {name}" for name in FAULTS))
    explained = re.findall(
        r"\[FAULT\] WARN: process \d+ \(fault\): .*: killed by (SIG\w+)", system.log
    )
    assert explained == list(FAULTS.values())
    assert "nothing stopped us" not in system.log
    assert_unharmed(system)


def test_a_bad_pointer_is_refused_and_survived(boot):
    """MEL-50."""
    system = boot("fault efault")
    assert "fault: write: Bad address" in system.log
    assert_unharmed(system)


def test_a_program_that_takes_all_memory(boot):
    """MIC-06: it is refused or killed, and nobody else is."""
    system = boot("memhog all", "memhog 1")
    assert re.search(r"out of memory: job \d+ \(memhog\) has most, 1 processes", system.log)
    assert "1 MiB\n" in system.log
    assert_unharmed(system)


def test_a_program_that_forks_without_end(boot):
    """MIC-06."""
    system = boot("forkbomb 2000", "sleep 1", "forkbomb 10")
    assert re.search(r"out of memory: job \d+ \(forkbomb\) has most, \d{3,} proc", system.log)
    assert "10 processes\n" in system.log
    assert_unharmed(system)


def test_the_watcher_would_notice(boot):
    """What the tests above rely on: its sum is that of its memory."""
    assert checksum() in boot().log
