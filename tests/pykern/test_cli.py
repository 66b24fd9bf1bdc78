"""The command line as a user meets it: what it accepts, and one line for what it does not."""

from __future__ import annotations

import pytest

from pykern.cli import arguments, main
from pykern.cli.errors import UsageError
from pykern.config import SerialSpec
from pykern.exit_status import ExitStatus


def run(*words):
    return main([str(word) for word in words])


def test_our_spelling_and_qemu_s_mean_the_same():
    ours = arguments.parse(
        "boot --kernel k --initrd i --append a=1 --smp 2 -m 64M --serial stdio --no-reboot".split()
    )
    qemu = arguments.parse(
        "boot -kernel k -initrd i -append a=1 -smp 2 -m 64 -serial mon:stdio -no-reboot".split()
    )
    assert {**vars(ours), "command": 0} == {**vars(qemu), "command": 0}
    assert (ours.memory, ours.smp, ours.serial) == (64 << 20, 2, SerialSpec())


def test_nographic_is_the_console_on_stdio():
    assert arguments.parse(["boot", "-serial", "null", "-nographic", "x"]).serial == SerialSpec()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["boot", "--help"]])
def test_help_needs_nothing_else(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert "pykern" in capsys.readouterr().out


def test_the_benchmark_gets_its_own_options(monkeypatch):
    seen = []
    monkeypatch.setattr("pykern.bench.main", lambda words: seen.append(words) or 1)
    assert run("bench", "--check", "fib", "--help") == 1
    assert seen == [["--check", "fib", "--help"]]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["boot", "--smp", "65", "x"],
        ["boot", "-m", "1", "--timeout", "soon", "x"],
        ["boot", "--serial", "tcp:1", "x"],
        ["boot", "--memoy", "1", "x"],
        ["disasm"],
        ["disasm", "x", "--bits", "48"],
    ],
)
def test_bad_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == ExitStatus.USAGE
    assert "error: " in capsys.readouterr().err


def test_boot_wants_one_image(capsys):
    assert run("boot", "a", "--kernel", "b") == ExitStatus.USAGE
    assert run("boot", "a", "--firmware", "b") == ExitStatus.USAGE
    assert "one of FILE, --kernel, --cdrom and --firmware ROM" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert run("boot", tmp_path / "none") == ExitStatus.BAD_IMAGE
    assert capsys.readouterr().err == f"pykern: {tmp_path}/none: No such file or directory\n"


def test_a_file_nothing_knows(tmp_path, capsys):
    path = tmp_path / "letter"
    path.write_text("dear reader")
    assert run("boot", path) == ExitStatus.BAD_IMAGE
    assert "\n  linux: " in capsys.readouterr().err


def test_a_protocol_nobody_knows(tmp_path, capsys):
    path = tmp_path / "image"
    path.write_bytes(b"x")
    assert run("boot", path, "--protocol", "uefi") == ExitStatus.USAGE
    assert "no boot protocol uefi; there are iso, linux, limine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (UsageError("no"), ExitStatus.USAGE, "pykern: no\n"),
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED, "pykern: interrupted\n"),
        (PermissionError(13, "Permission denied", "f"), ExitStatus.USAGE, "f: Permission denied\n"),
        (ZeroDivisionError("zero"), ExitStatus.INTERNAL_ERROR, "internal error: ZeroDivisionError"),
    ],
)
def test_no_traceback_reaches_a_user(monkeypatch, capsys, error, status, text):
    def fail(_args):
        raise error

    monkeypatch.setattr("pykern.cli.boot.run", fail)
    assert run("boot", "x") == status
    err = capsys.readouterr().err
    assert text in err
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
