"""The shell: scripts against busybox's, the rest at a terminal."""

import subprocess
from pathlib import Path

import pytest

from tests.userland.running import run
from tests.userland.terminal import Terminal

SCRIPTS = (Path(__file__).parents[1] / "sh_cases.txt").read_text(encoding="utf-8")
CASES = SCRIPTS.rstrip("\n").split("\n---\n")


@pytest.mark.parametrize("script", CASES)
def test_a_script_does_what_it_does_in_busybox(script, programs, busybox_directory):
    path = str(busybox_directory)
    sh, oracle = str(programs["sh"]), str(busybox_directory / "sh")
    assert run([sh, "-c", script], path) == run([oracle, "-c", script], path)


@pytest.mark.parametrize("script", CASES[::4])
def test_a_script_may_come_from_standard_input(script, programs, busybox_directory):
    path, text = str(busybox_directory), script.encode() + b"\n"
    assert run([programs["sh"]], path, text) == run([busybox_directory / "sh"], path, text)


def test_commands_read_what_follows_them_in_a_script(programs, bin_directory):
    script = b"read line; echo got $line\nthe line\nhead -n 1 >/dev/null\nskipped\necho end\n"
    assert run([programs["sh"]], str(bin_directory), script).stdout.startswith(b"got the line\n")


def test_errors_say_what_and_where(programs):
    shown = subprocess.run(
        [programs["sh"], "-c", "nosuch; cd /nosuch; echo $((1/0))"],
        capture_output=True, text=True, check=False, env={"PATH": ""},
    )  # fmt: skip
    assert shown.stderr.splitlines() == [
        f"{programs['sh']}: nosuch: not found",
        f"{programs['sh']}: cd: can't cd to /nosuch: No such file or directory",
        f"{programs['sh']}: divide by zero",
    ]
    assert shown.returncode == 2


def test_help_lists_builtins_and_programs(programs):
    shown = run([programs["sh"], "-c", "help"], "").stdout.decode()
    assert "cd [DIRECTORY|-]" in shown
    assert "Programs in /bin:" in shown


# --- at a terminal -------------------------------------------------------------------------------


@pytest.fixture
def terminal(programs, bin_directory, tmp_path):
    with Terminal([programs["sh"]], {"PATH": str(bin_directory), "PS1": "% "}, tmp_path) as opened:
        opened.expect("% ")
        yield opened


def test_a_line_is_run(terminal):
    terminal.send("echo $((6*7))\r")
    terminal.expect("\n42\n% ")


def test_the_line_can_be_edited(terminal):
    terminal.send("echo abx\x1b[Dc\x01\x1b[C\x05!\x7f e\x17f\r")
    terminal.expect("\nabcx f\n% ")


def test_a_long_line_is_shown_in_part(terminal):
    """The terminal has 80 columns or does not say: nothing is drawn beyond, and all of it runs."""
    words = " ".join(f"{n:03}" for n in range(50))
    terminal.send(f"echo {words}\x01\x1b[C\x05\r")
    terminal.expect(f"\n{words}\n% ")


def test_the_terminal_is_as_before_after_a_killed_program(terminal):
    terminal.send("top -d 100\r")
    terminal.wait_until_runs("top")
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect("% ")
    terminal.send("head -n 1\r")
    terminal.expect("head -n 1\n")
    terminal.wait_until_runs("head")
    terminal.send("cooked\x7f!\r")
    terminal.expect("cooke!\n% ")


def test_history_comes_back(terminal):
    terminal.send("echo one\r")
    terminal.expect("\none\n% ")
    terminal.send("echo two\r")
    terminal.expect("\ntwo\n% ")
    terminal.send("\x1b[A\x1b[A\r")
    terminal.expect("\none\n% ")


def test_tab_completes_a_file_name(terminal, tmp_path):
    (tmp_path / "some-long-name").write_text("content\n")
    terminal.send("cat some-\t\r")
    terminal.expect("\ncontent\n% ")


def test_an_interrupt_ends_the_job_and_not_the_shell(terminal):
    terminal.send("sleep 100\r")
    terminal.expect("sleep 100\n")
    terminal.wait_until_runs("sleep")
    terminal.send("\x03")
    terminal.expect("% ")
    terminal.send("echo $?\r")
    terminal.expect("\n130\n% ")


def test_a_job_is_stopped_and_continued(terminal):
    terminal.send("sleep 100\r")
    terminal.wait_until_runs("sleep")
    terminal.send("\x1a")
    terminal.expect("Stopped                    sleep 100\n% ")
    terminal.send("bg\r")
    terminal.expect("[1] sleep 100\n% ")
    terminal.send("jobs\r")
    terminal.expect("Running                    sleep 100\n% ")
    terminal.send("kill %1; wait; echo $?\r")
    terminal.expect("% ")


def test_the_foreground_is_given_and_taken(terminal):
    """A background job that reads the terminal is stopped; in the foreground it reads."""
    terminal.send("cat &\r")
    terminal.expect("% ")
    terminal.wait_until_stopped("cat")
    terminal.send("fg\r")
    terminal.expect("cat\n")
    terminal.wait_until_runs("cat")
    terminal.send("typed\r")
    terminal.expect("typed\ntyped\n")
    terminal.send("\x04")
    terminal.expect("% ")


def test_a_loop_of_builtins_is_interrupted(terminal):
    terminal.send("echo loop; while :; do :; done\r")
    terminal.expect("\nloop\n")
    terminal.send("\x03")
    terminal.expect("% ")


def test_an_error_leaves_the_shell_alive(terminal):
    terminal.send("echo ${nope?gone}; echo $((1/0))\r")
    terminal.expect("nope: gone\n% ")
    terminal.send("fi\r")
    terminal.expect('syntax error: unexpected "fi"\n% ')


def test_a_command_goes_on_over_lines(terminal):
    terminal.send("if true\r")
    terminal.expect("> ")
    terminal.send("then echo yes; fi\r")
    terminal.expect("\nyes\n% ")


def test_the_end_of_the_input_ends_the_shell(terminal):
    terminal.send("\x04")
    assert terminal.wait() == 0
