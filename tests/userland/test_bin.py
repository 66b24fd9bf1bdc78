"""Every program against the one of busybox, and what has no oracle against itself."""

import os
import signal
import subprocess

import pytest

from tests.userland.cases import cases
from tests.userland.running import Result, run, write_files
from userland import build

# Programs that are shown elsewhere, or have nothing to be compared with.
OTHERWISE = {
    "clear", "dmesg", "free", "hello", "hostname", "init", "ipcping", "metrics", "mount", "nproc",
    "pingpong", "poweroff", "ps", "reboot", "time", "top", "umount", "uptime",
}  # fmt: skip


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.command)
def test_a_program_does_what_busybox_does(case, bin_directory, busybox_directory):
    stdin = f"{case.stdin}\n".encode() if case.stdin else b""
    argv = ["/bin/sh", "-c", f"umask 022; {case.command}"]
    ours = run(argv, str(bin_directory), stdin)
    assert ours == run(argv, str(busybox_directory), stdin)


def test_every_program_has_a_case():
    words = {word for case in cases() for word in case.command.split()}
    programs = {name for name, files in build.sources().items() if "bin" in files[0].parts}
    assert programs - words == OTHERWISE


def test_a_long_listing_is_that_of_busybox(bin_directory, busybox_directory, tmp_path):
    write_files(tmp_path)
    (tmp_path / "link").symlink_to("words")
    (tmp_path / "set").write_text("")
    (tmp_path / "set").chmod(0o6754)
    os.mkfifo(tmp_path / "fifo")
    os.utime(tmp_path / "words", (1e9, 1e9))
    for options in ("-l", "-la", "-lR", "-li", "-lS"):
        shown = [
            subprocess.run(["ls", options, tmp_path, "/dev/null"], executable=place / "ls",
                           capture_output=True, check=True, env={}).stdout
            for place in (bin_directory, busybox_directory)
        ]  # fmt: skip
        assert shown[0] == shown[1]


def test_times_are_kept_by_touch_and_cp(programs, tmp_path):
    old = tmp_path / "old"
    old.write_text("x")
    os.utime(old, (5, 7))
    subprocess.run([programs["cp"], "-p", old, tmp_path / "new"], check=True)
    assert (tmp_path / "new").stat().st_mtime == 7
    subprocess.run([programs["touch"], old], check=True)
    assert old.stat().st_mtime > 1e9


def test_ps_shows_itself(programs):
    shown = subprocess.run([programs["ps"]], capture_output=True, text=True, check=True)
    head, *rows = shown.stdout.splitlines()
    assert head.split() == "PID PPID PGID S CPU TIME RSS COMMAND".split()
    own = [row.split() for row in rows if row.endswith(str(programs["ps"]))]
    assert [(row[1], row[3]) for row in own] == [(str(os.getpid()), "R")]


def test_top_shows_the_processors_and_what_runs(programs):
    command = [programs["top"], "-b", "-n", "2", "-d", "0.01"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.count("%CPU") == 2
    assert shown.count("CPU0 ") == 2
    assert f" {os.getpid()} " in shown


def test_free_agrees_with_the_kernel(programs):
    shown = subprocess.run([programs["free"]], capture_output=True, text=True, check=True).stdout
    name, total, used, left = shown.splitlines()[1].split()
    assert name == "Mem:"
    assert int(total) * 1024 == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert int(used) + int(left) == int(total)


def test_nproc_counts_the_processors_that_may_be_used(programs):
    shown = subprocess.run([programs["nproc"]], capture_output=True, text=True, check=True).stdout
    assert int(shown) == len(os.sched_getaffinity(0))


def test_uptime_begins_with_the_clock(programs):
    shown = subprocess.run([programs["uptime"]], capture_output=True, text=True, check=True).stdout
    assert " up " in shown
    assert shown.split()[0].count(":") == 2


def test_mount_names_the_root(programs):
    shown = subprocess.run([programs["mount"]], capture_output=True, text=True, check=True).stdout
    assert any(" on / type " in line for line in shown.splitlines())


def test_clear_empties_the_terminal(programs):
    assert run([programs["clear"]], "").stdout == b"\x1b[H\x1b[2J"


def test_hostname(programs):
    assert run([programs["hostname"]], "").stdout.decode() == f"{os.uname().nodename}\n"


def test_hello(programs):
    assert run([programs["hello"]], "") == Result(b"Hello from userland!\n", 0)


def test_pingpong_comes_back(programs):
    assert run([programs["pingpong"], "-n", "50"], "") == Result(b"50 round trips\n", 0)


@pytest.mark.parametrize(
    ("program", "call"),
    [
        ("metrics", "metrics"),
        ("ipcping", "ipc_port_create"),
        ("alltoall", "ipc_port_create"),
    ],
)
def test_what_linux_has_not_is_said_so(program, call, programs):
    """What they do where the calls exist is in test_bin_in_machine.py."""
    shown = subprocess.run([programs[program]], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert shown.stderr == f"{program}: {call}: Function not implemented\n"


def test_time_passes_the_status_on(programs, bin_directory):
    shown = subprocess.run(
        [programs["time"], programs["false"]], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    assert [line.split("\t")[0] for line in shown.stderr.splitlines()] == ["real", "user", "sys"]


def test_cat_ends_when_nobody_reads(programs):
    with subprocess.Popen([programs["yes"]], stdout=subprocess.PIPE) as yes:
        assert yes.stdout.read(2) == b"y\n"
        yes.stdout.close()
    assert yes.returncode in {1, -signal.SIGPIPE}


def test_init_runs_a_command_and_reaps_orphans(programs, bin_directory):
    """An orphan of the command ends later than its parent; init's status is the command's."""
    script = "(sleep 0.05; echo orphan) & echo done; exit 3"
    result = run([programs["init"], "sh", "-c", script], str(bin_directory))
    assert result.status == 3
    assert b"done\n" in result.stdout
