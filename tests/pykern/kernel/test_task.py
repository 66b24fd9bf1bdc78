"""The same program file on host Linux and in pykern: the same output, the same end."""

from __future__ import annotations

import pytest

from tests.pykern.kernel import hosted

DATA = {"data": b"not a program\n"}


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize(
    "program",
    [
        pytest.param("altstack.c", id="altstack"),
        pytest.param("fpu.c", id="fpu"),
        pytest.param("group.c", id="group"),
        pytest.param("jobs.c", id="jobs"),
        pytest.param("life.c", id="life"),
        pytest.param("mapping.c", id="mapping"),
        pytest.param("memory.c", id="memory"),
        pytest.param("process.c", id="process"),
        pytest.param("queued.c", id="queued"),
        pytest.param("ready.c", id="ready"),
        pytest.param("registers.c", id="registers"),
        pytest.param("signals.c", id="signals"),
        pytest.param("threads.c", id="threads"),
    ],
)
def test_a_program_cannot_tell_pykern_from_linux(on_both, program, cpus):
    """MEL-20, MEL-47, MEL-48, MEL-49: real static programs of the GNU C library."""
    expected, found = on_both(program, files=DATA, cpus=cpus)
    assert found.stdout.decode() == expected.stdout.decode()
    assert found.status == expected.status


def test_bad_arguments_have_the_same_errors(on_both):
    """MEL-50: 250 calls with arguments that make no sense."""
    expected, found = on_both("errno.c", files=DATA)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()


def test_what_a_program_starts_with(on_both):
    """MEL-49: arguments, environment, auxiliary vector."""
    expected, found = on_both("start.c", "one", "", "three words here", "ä")
    assert found.stdout.decode() == expected.stdout.decode()
    assert found.status == expected.status == 5


@pytest.mark.parametrize("program", ["memory.c", "threads.c", "process.c"])
def test_no_processor_relies_on_what_it_has_cached(kernel_image, program):
    """MEL-48: every change of page tables that another processor may have cached is told to it."""
    path = hosted.compiled(program)
    system = hosted.batch(kernel_image, [[str(path)]], {str(path): path.read_bytes()}, DATA, cpus=4)
    stale = []
    system.machine.report_stale_tlb(lambda *entry: stale.append(entry))
    hosted.results(system.run(), 1)
    assert stale == []
