"""The same program file on host Linux and in pykern: the same output, the same end."""

from __future__ import annotations

import struct

import pytest

from tests.pykern.kernel import hosted

PT_LOAD, PF_X, PF_W, PF_R = 1, 1, 2, 4
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
        pytest.param("timers.c", id="timers"),
    ],
)
def test_a_program_cannot_tell_pykern_from_linux(on_both, program, cpus):
    """MEL-20, MEL-47, MEL-48, MEL-49, MYR-23: real static programs of the GNU C library."""
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


def test_a_segment_that_may_be_written_and_run_is_loaded(kernel_image):
    """MEL-49: all rights for every segment, as linkers of old gave them; Linux takes it.

    Where a profile has W^X, there is no such memory: `test_space.py`.
    """
    image = bytearray(hosted.compiled("start.c").read_bytes())
    table, size, count = struct.unpack_from("<Q14xHH", image, 32)
    for at in range(table, table + size * count, size):
        kind, _flags = struct.unpack_from("<II", image, at)
        if kind == PT_LOAD:
            struct.pack_into("<I", image, at + 4, PF_R | PF_W | PF_X)
    path = hosted.compiled("start.c").with_name("all-rights")
    path.write_bytes(image)
    path.chmod(0o755)
    expected = hosted.on_host(path, [str(path), "x"], {})
    system = hosted.batch(kernel_image, [[str(path), "x"]], {str(path): bytes(image)}, {})
    assert hosted.results(system.run(), 1) == [expected]
