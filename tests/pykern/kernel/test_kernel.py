"""The kernel as a whole: it ends with words, and does the same each time."""

from __future__ import annotations

import gc
import weakref

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.kernel import SplitMix64
from tests.pykern.kernel import hosted


def test_random_numbers_are_those_of_the_paper():
    """SplitMix64 with seed 0 and 1234567, as other implementations have them."""
    numbers = SplitMix64(0)
    assert [numbers.next() for _ in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]
    assert SplitMix64(1234567).next() == 6457827717110365317


@pytest.mark.parametrize(
    ("files", "line", "reason"),
    [
        ({"/bin/x": b""}, "", "cannot run /sbin/init: ENOENT"),
        ({"/bin/x": b"text\n"}, "init=/bin/x", "cannot run /bin/x: /bin/x: not an ELF file"),
        ({"/bin/x": b"\x7fELF"}, "init=/bin", "cannot run /bin: EACCES"),
    ],
)
def test_without_a_first_program_it_panics_and_says_why(system, files, line, reason):
    """MEL-32: text, and an exit status that is not 0."""
    made = system(files=files, command_line=line).run()
    assert made.outcome.status == ExitStatus.PANIC
    assert f"[PANIC] ERROR: {reason}" in made.log


def test_without_its_first_process_it_cannot_go_on(system):
    made = system(files={"/sbin/init": hosted.compiled("start.c").read_bytes()}).run()
    assert made.outcome.status == ExitStatus.PANIC
    assert "the first process, init, ended: status 1" in made.log


def test_the_same_seed_gives_the_same_run(kernel_image):
    program = hosted.compiled("threads.c")

    def run(seed):
        commands, programs = [[str(program)]], {str(program): program.read_bytes()}
        made = hosted.batch(kernel_image, commands, programs, {}, cpus=4, seed=seed).run()
        return made.machine.now, made.machine.retired, made.log, made.machine.state_hash()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_nothing_of_a_machine_stays_when_it_is_let_go(system):
    """One process may make thousands of them; this one's page tables were looked at as arrays."""

    def left_of_a_run():
        files = {"/sbin/init": hosted.compiled("waiting.c").read_bytes()}
        made = system(files=files, command_line="swap=16M", timeout_ns=20_000_000).run()
        assert made.kernel.frames.reclaimer.sample()
        return weakref.ref(made.kernel), weakref.ref(made.computer.board)

    left = left_of_a_run()
    gc.collect()
    assert [gone() for gone in left] == [None, None]


def test_an_unknown_profile_is_named(system):
    made = system(files={"/x": b""}, command_line="profile=nope").run()
    assert made.outcome.status == ExitStatus.PANIC
    assert "nope" in made.log


def test_a_program_can_restart_the_machine(system):
    """What reboot(RB_AUTOBOOT) asks for."""
    files = {"/sbin/init": hosted.compiled("restart.c").read_bytes()}
    assert system(files=files).run().outcome.status == ExitStatus.RESET
