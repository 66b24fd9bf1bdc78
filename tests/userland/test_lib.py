"""The C library: the same source with ours and with the host's prints the same."""

import shutil
import subprocess

import pytest

from tests.userland.running import Result, run
from userland import build

COMPARED = ("alarm", "calendar", "files", "formats", "signals", "strings")


@pytest.mark.parametrize("name", COMPARED)
def test_a_program_does_what_it_does_with_the_library_of_the_host(name, programs, tmp_path):
    oracle = tmp_path / name
    source = build.SOURCES / "tests" / f"{name}.c"
    subprocess.run([shutil.which("cc"), "-w", "-O1", "-o", oracle, source], check=True)
    ours = run([programs[f"tests/{name}"]], "/bin", files=False)
    assert ours == run([oracle], "/bin", files=False)
    assert ours.status == 0
    assert ours.stdout.count(b"\n") > 5


def test_the_heap_keeps_what_was_written_and_joins_what_was_freed(programs):
    assert run([programs["tests/heap"]], "") == Result(b"intact 1 1\n", 0)


def test_every_test_program_is_run():
    named = {name.removeprefix("tests/") for name in build.sources() if name.startswith("tests/")}
    assert named == {*COMPARED, "heap"}
