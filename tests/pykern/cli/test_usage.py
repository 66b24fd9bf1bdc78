"""What is refused before a machine is made."""

from __future__ import annotations

import os
import stat

import pytest

from pykern.cli import arguments, main, usage
from pykern.cli.errors import UsageError
from pykern.exit_status import ExitStatus


def check(*words):
    usage.check(arguments.parse(["boot", *map(str, words)]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--write-back"], "--write-back needs --disk or --firmware bios"),
        (["--write-back", "--firmware", "rom.bin"], "--write-back needs --disk or --firmware bios"),
        (["--gdb-observer", ":1"], "--gdb-observer needs --gdb or --gdb-os"),
        (["--screenshot", "/none/a.png"], "--screenshot /none/a.png: there is no folder /none"),
        (["--metrics", "/none/a.json"], "--metrics /none/a.json: there is no folder /none"),
        (["--metrics", "/"], "--metrics /: that is a folder"),
        (["--checkpoint", "a@1:/none/a"], "--checkpoint /none/a: there is no folder /none"),
        (["--checkpoint", f"a@1:{__file__}"], "it is there, and is never overwritten"),
        (["--disk", "a"] * 5, "--disk: 5 disks, expected at most 4"),
    ],
)
def test_what_makes_no_sense(words, message):
    with pytest.raises(UsageError, match=message):
        check(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["--write-back", "--firmware", "bios"],
        ["--write-back", "--disk", "a", "--disk", "b"],
        ["--gdb-observer", ":1", "--gdb-os"],
        ["--gdb-observer", ":1", "-S"],
        ["--screenshot", "new.png", "--metrics", "new.json"],
    ],
)
def test_what_does(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(*words)
    assert list(tmp_path.iterdir()) == []


def test_two_disks_are_two_files(tmp_path):
    """MEL-53: what one writes back the other would overwrite."""
    (tmp_path / "disk").write_bytes(bytes(512))
    (tmp_path / "link").symlink_to("disk")
    with pytest.raises(UsageError, match="link: that file is another disk already"):
        check("--disk", tmp_path / "disk", "--disk", tmp_path / "link")


@pytest.mark.skipif(os.geteuid() == 0, reason="user 0 may write anything")
def test_a_file_that_may_not_be_written(tmp_path):
    path = tmp_path / "a.json"
    path.touch(stat.S_IRUSR)
    with pytest.raises(UsageError, match="may not be written"):
        check("--metrics", path)


def test_nothing_has_run_by_then(capfd):
    assert main(["boot", "--screenshot", "/none/a.png"]) == ExitStatus.USAGE
    assert capfd.readouterr() == (
        "",
        "pykern: --screenshot /none/a.png: there is no folder /none\n",
    )


def test_an_error_is_not_drowned_by_a_list_of_all_options(capfd):
    with pytest.raises(SystemExit):
        main(["boot", "--smp", "0"])
    usage_line, error = capfd.readouterr().err.splitlines()
    assert usage_line == "usage: pykern boot [OPTION ...] [FILE]"
    assert "expected 1 to 64" in error
