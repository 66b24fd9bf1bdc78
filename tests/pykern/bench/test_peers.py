"""The peers that are installed run the guest programs alike."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pykern import bench
from pykern.bench import image, machines, peers
from pykern.bench.programs import GROUPS, PROGRAMS, Program

if TYPE_CHECKING:
    from pathlib import Path

needs_compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")
NAMES = ("qemu", "bochs")
ONE_OF_EACH_SOURCE = tuple({program.source: program for program in reversed(PROGRAMS)}.values())


def test_checksum_is_found_among_other_output() -> None:
    console = b"Next at t=0\n(0) [0x0000fffffff0] f000:fff0\r\n0123456789abcdef\r\n====\n"
    assert machines.checksum("bochs", console) == "0123456789abcdef"


def test_unexpected_interrupt_is_no_checksum() -> None:
    console = b"000000000000000e 0000000000000002 0000000000100200 0000000000000008 00!\n"
    with pytest.raises(machines.RunError, match="expected a checksum"):
        machines.checksum("qemu", console)


def test_nothing_is_found_that_was_not_asked_for(tmp_path: Path) -> None:
    assert peers.find(["none"], tmp_path) == []


def test_a_peer_that_nobody_knows_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--peers", "qemu,kqemu"])
    assert "no peer kqemu, expected qemu, bochs or none" in capsys.readouterr().err


def test_program_names_are_unique_and_groups_known() -> None:
    names = [program.name for program in PROGRAMS]
    assert len(set(names)) == len(names)
    assert {program.group for program in PROGRAMS} == set(GROUPS)


@needs_compiler
@pytest.mark.parametrize("program", ONE_OF_EACH_SOURCE, ids=lambda program: program.name)
def test_peers_agree(program: Program, tmp_path: Path) -> None:
    runners = peers.find(list(NAMES), tmp_path)
    if len(runners) < len(NAMES):
        pytest.skip("needs both QEMU and Bochs")
    built = image.build("guest", program.source, tmp_path, program.flags)
    zero, one = ([r.run(built.rom(n, program.arguments)).checksum for r in runners] for n in (0, 1))
    assert len(set(one)) == 1
    assert zero != one
