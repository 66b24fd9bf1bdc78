"""What QEMU's command lines say here. MEL-43."""

from __future__ import annotations

import pytest

from pykern import config
from pykern.cli import arguments
from pykern.cli.qemu_options import ABSENT


def parsed(line: str):
    return arguments.parse(["boot", *line.split()])


def test_a_usual_qemu_command_line():
    args = parsed(
        "-m 512M -smp 4 -kernel bzImage -initrd initrd -append quiet -serial stdio -nographic "
        "-display none -no-reboot -cpu max -d int,in_asm"
    )
    assert (args.memory, args.smp) == (512 << 20, 4)
    assert (str(args.kernel), args.initrd, args.append) == ("bzImage", ["initrd"], "quiet")
    assert args.serial == config.SerialSpec("stdio")
    assert args.no_reboot
    assert args.trace == {"int", "insn"}


@pytest.mark.parametrize("option", ABSENT)
def test_what_is_not_there_explains_itself(option, capsys):
    count, text = ABSENT[option]
    with pytest.raises(SystemExit) as caught:
        parsed(f"{option} {'x' * count} kernel")
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {option}: {text}\n")


def test_an_unknown_log_item(capsys):
    with pytest.raises(SystemExit):
        parsed("-d int,cpu kernel")
    assert "-d item 'cpu', expected some of int,in_asm,exec" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "cpus"), [("single", 1), ("smp2", 2), ("smp4", 4), ("debug", 2)])
def test_presets(name, cpus):
    args = parsed(f"--preset {name} kernel")
    assert (args.smp, config.PRESETS[args.preset]) == (None, cpus)


@pytest.mark.parametrize("text", ["0x0", "1024", "1024x", "99999x1", "-1x5"])
def test_resolutions_that_are_none(text, capsys):
    with pytest.raises(SystemExit):
        parsed(f"--framebuffer={text} kernel")
    assert "expected" in capsys.readouterr().err
