"""Programs that misbehave are stopped by the host as they are to be by our kernel."""

import os
import subprocess
from signal import SIGFPE, SIGILL, SIGSEGV, SIGTRAP

import pytest

from tests.userland.running import Result, run
from userland import build

FAULTS = {
    "null": SIGSEGV,
    "stack": SIGSEGV,
    "nx-data": SIGSEGV,
    "nx-stack": SIGSEGV,
    "text": SIGSEGV,
    "div": SIGFPE,
    "kernel": SIGSEGV,
    "noncanonical": SIGSEGV,
    "ud": SIGILL,
    "privileged": SIGSEGV,
    "port": SIGSEGV,
    "int3": SIGTRAP,
}


@pytest.mark.parametrize(("fault", "signal"), FAULTS.items(), ids=FAULTS)
def test_a_fault_ends_the_program_by_its_signal(fault, signal, programs):
    """MEL-25, MEL-27, MEL-48: what the page protections and rings forbid."""
    assert run([programs["fault"], fault], "").status == -signal


def test_a_bad_pointer_to_a_system_call_is_no_fault(programs):
    """MEL-50."""
    shown = subprocess.run(
        [programs["fault"], "efault"], capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr) == (3, "fault: write: Bad address\n")


def test_a_tree_of_processes_has_an_end(programs):
    assert run([programs["forkbomb"], "20"], "") == Result(b"20 processes\n", 0)


def test_every_processor_is_visited(programs):
    """MEL-56."""
    assert run([programs["roam"]], "") == Result(
        b"%d processors\n" % len(os.sched_getaffinity(0)), 0
    )


def test_count_says_whether_it_has_lost_count(programs):
    """Without being taken anywhere it has not; migration tests take it (MYR-25)."""
    assert run([programs["count"], "3", "0"], "") == Result(b"1\n2\n3\ncounted to 3\n", 0)
    assert run([programs["count"]], "").status == 2


def test_memory_is_taken_and_zero(programs):
    assert run([programs["memhog"], "3"], "") == Result(b"3 MiB\n", 0)


def test_spin_counts(programs):
    expected = 2 * sum(range(1_000_000))
    assert run([programs["spin"], "2"], "") == Result(f"{expected}\n".encode(), 0)


def test_programs_of_mellos_use_its_gate_only(programs):
    """MEL-12: `int 0x80` and no SYSCALL."""
    for name in (n for n in programs if build.personality(n) == "mellos"):
        shown = subprocess.run(
            ["objdump", "-d", programs[name]], capture_output=True, text=True, check=True
        )
        instructions = [line.split("\t")[-1].split() for line in shown.stdout.splitlines()]
        assert ["int", "$0x80"] in instructions, name
        assert ["syscall"] not in instructions, name
