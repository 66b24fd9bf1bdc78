"""What a newcomer gets: the default image, typed on, piped into, and booted by others."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import images
from images import build, prebuilt
from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.drivers.screen_text import read_text
from tests import booting
from tests.pykern.kernel.hosted import read_file
from tests.userland.terminal import Terminal

PROMPT = "/ # "
BOOT = (sys.executable, "-m", "pykern", "boot")
COMMANDS = b"ls\nps\nseq 20 | grep 1 | wc -l\npoweroff\n"


@pytest.fixture(scope="module")
def iso():
    booting.packaged()
    return prebuilt.default_image().read_bytes()


@pytest.fixture(scope="module")
def booted(iso):
    return booting.boot(iso, cpus=4, typed=COMMANDS)


def run(*arguments, typed=COMMANDS):
    """Run the command line as a pipe does."""
    return subprocess.run(
        [*BOOT, *map(str, arguments)], input=typed, capture_output=True, check=False, timeout=120
    )


def assert_session(text):
    """ls, ps and a pipeline have answered, each behind its prompt."""
    answers = text.replace("\r", "").split(PROMPT)[1:]
    ls, ps, pipeline, poweroff = answers
    assert {"bin", "dev", "etc", "proc", "sbin"} <= set(ls.split())
    assert re.search(r"^ +1 +0 .* /sbin/init$", ps, re.MULTILINE)
    assert re.search(r" ps$", ps, re.MULTILINE)
    assert pipeline.splitlines()[-1] == "11"
    assert poweroff.split() == ["poweroff"]


@pytest.mark.usefixtures("iso")
def test_what_is_piped_in_is_done():
    """The first of what the step is shown by: prompt, ls, ps, a pipeline, poweroff, status 0."""
    done = run()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "CPUs detected: 4" in done.stdout.decode()
    assert_session(done.stdout.decode())


@pytest.mark.usefixtures("iso")
def test_input_that_ends_before_the_machine_is_off():
    """Nothing can happen any more, so the run ends, and says why."""
    done = run(typed=b"sleep 1; ls\n")
    assert done.returncode == ExitStatus.DEADLOCK
    assert b"the input has ended, and every program waits for more" in done.stderr
    assert b"proc" in done.stdout


@pytest.mark.usefixtures("iso")
def test_what_a_person_types_is_done(tmp_path):
    """The same at a terminal: each command after the prompt has come."""
    environment = {**os.environ, "PYTHONPATH": str(Path(images.__file__).parents[1])}
    with Terminal(BOOT, environment, tmp_path) as terminal:
        terminal.expect(PROMPT)
        terminal.send("ls\r")
        terminal.expect("proc")
        terminal.expect(PROMPT)
        terminal.send("ps\r")
        terminal.expect("/sbin/init")
        terminal.expect(PROMPT)
        terminal.send("seq 20 | grep 1 | wc -l\r")
        terminal.expect("\n11\n")
        terminal.expect(PROMPT)
        terminal.send("echp\x7fo one \x15echo ready; cat\r")  # erase a character, then the line
        terminal.expect("\nready\n")
        terminal.send("typed\r")
        terminal.expect("typed\ntyped\n")
        terminal.send("\x04")
        terminal.expect(PROMPT)
        terminal.send("poweroff\r")
        assert terminal.wait() == 0


def test_the_screen_shows_what_the_serial_port_does(booted):
    """MEL-30: log and terminal, read from the picture."""
    assert_session(booted.screen + "\n")
    assert booted.screen.splitlines()[0] == "[MM] Initializing memory management..."


def test_help_says_what_there_is(iso):
    log = booting.boot(iso, typed=b"help\npoweroff\n").log
    assert {"ls", "ps", "poweroff"} <= set(log.partition("# help\n")[2].split())


def test_the_same_seed_gives_the_same_bytes(iso, booted):
    """Serial log, framebuffer and metrics."""
    again = booting.boot(iso, cpus=4, typed=COMMANDS)
    assert again.serial == booted.serial
    assert again.picture.tobytes() == booted.picture.tobytes()
    assert again.kernel.metrics.json() == booted.kernel.metrics.json()
    assert again.computer.machine.now == booted.computer.machine.now


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_may_differ_and_works(iso, seed):
    other = booting.boot(iso, cpus=4, typed=COMMANDS, seed=seed)
    assert other.outcome.status == ExitStatus.POWER_OFF
    assert_session(other.log)


def test_proc_metrics_are_the_metrics(booted):
    """MEL-16: the file, the JSON and the Python object say the same."""
    metrics = booted.kernel.metrics
    shown = dict(
        line.split()
        for line in read_file(booted.kernel, "/proc/metrics", 1 << 16).decode().splitlines()
    )
    told = json.loads(metrics.json())
    flat = {name: value for name, value in told.items() if isinstance(value, int)}
    flat |= {f"syscall_count[{name}]": count for name, count in told["syscall_count"].items()}
    for number, cpu in enumerate(told["cpus"]):
        flat |= {f"cpu{number}.{name}": value for name, value in cpu.items()}
    assert {name: int(value) for name, value in shown.items()} == flat
    assert metrics.syscall_count["execve"] >= 6


def test_system_calls_are_logged_when_asked(iso):
    """MEL-34, for the default profile."""
    command = b"poweroff\n"
    log = booting.boot(iso, append="loglevel=debug strace", typed=command).log
    assert re.search(r"\[SYSCALL\] Task 1 invoked SYS_EXECVE \(id=59\)", log) or (
        "[SYSCALL] Task 1 invoked SYS_WRITE (id=1)" in log
    )
    assert "[SYSCALL]" not in booting.boot(iso, append="loglevel=debug", typed=command).log


def test_eight_programs_run_in_turn(iso):
    """MIC-02: eight at a time on one processor; each is preempted, and all end."""
    typed = b" ".join([b"spin 10 &"] * 8) + b" wait; metrics preemptions; poweroff\n"
    booted = booting.boot(iso, cpus=1, typed=typed)
    assert booted.log.splitlines().count("4999995000000") == 8
    assert booted.kernel.metrics.preemptions >= 8


@pytest.mark.slow
def test_built_in_bios_boots_it_to_the_same_prompt(iso, booted, tmp_path):
    """MIC-07: the boot record in real mode and our loader; then everything is the same."""
    del iso
    png, options = tmp_path / "screen.png", ("-m", "64M", "--smp", "4")
    done = run("--firmware", "bios", prebuilt.default_image(), *options, "--screenshot", png)
    assert done.returncode == 0
    assert_session(done.stdout.decode())
    assert done.stdout.decode().split(PROMPT)[1:] == booted.serial.decode().split(PROMPT)[1:]
    with Image.open(png) as picture:
        assert read_text(np.asarray(picture)).split(PROMPT)[1:] == booted.screen.split(PROMPT)[1:]


@pytest.mark.slow
def test_what_xorriso_writes_from_the_same_tree_boots(iso, tmp_path):
    """MEL-29."""
    if shutil.which("xorriso") is None:
        pytest.skip("xorriso is not installed")
    (tmp_path / "ours.iso").write_bytes(iso)
    tree, made = tmp_path / "tree", tmp_path / "made.iso"
    assert main(["image", "extract", str(tmp_path / "ours.iso"), "-o", str(tree)]) == 0
    boot = ("-b", build.LOADER.lstrip("/"), "-no-emul-boot", "-boot-load-size", "4")
    boot += ("-boot-info-table", "-c", "boot/boot2.cat")
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", *boot, "-o", made, tree]
    subprocess.run(command, check=True, capture_output=True)
    assert_session(booting.boot(made.read_bytes(), typed=COMMANDS).log)
    assert_session(run("--firmware", "bios", made).stdout.decode())


@pytest.mark.slow
def test_elsewhere_it_says_who_hosts_it_and_turns_off(iso):
    """The ISO in QEMU: our own boot record, loader and kernel say it, and QEMU ends."""
    del iso
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86 is not installed")
    options = ("-display", "none", "-serial", "stdio", "-no-reboot", "-m", "256")
    done = subprocess.run(
        ["qemu-system-x86_64", "-cdrom", prebuilt.default_image(), *options],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert b"functions are hosted by pykern" in done.stdout


@pytest.mark.slow
def test_a_thousand_tasks_on_eight_processors(iso):
    """They all end, on all processors."""
    booted = booting.boot(
        iso, cpus=8, memory=256 * booting.MIB, typed=b"kbench tasks 1000\npoweroff\n"
    )
    assert re.search(r"tasks 1000: \d+ virtual ns each", booted.log), booted.log[-1000:]
    assert booted.outcome.status == ExitStatus.POWER_OFF
    assert booted.kernel.metrics.syscall_count["fork"] >= 1000
    assert all(cpu.ctx_switches > 50 for cpu in booted.kernel.metrics.cpus)


def test_an_installed_package_brings_all_of_it():
    """The wheel holds kernel, loader, programs and image; nobody needs a compiler."""
    if "site-packages" not in images.__file__:
        pytest.skip("a checkout: what is built lies beside its sources")
    assert prebuilt.default_image().exists()
    assert prebuilt.kernel().exists()
    assert {"init", "sh", "mellos/init"} <= set(prebuilt.programs())
