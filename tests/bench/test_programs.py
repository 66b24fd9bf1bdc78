"""Guest programs on pykern's machine: right first, then timed with ``--benchmark-enable``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pykern.bench import image
from pykern.bench.programs import PROGRAMS, Program

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

pytest.importorskip("pykern_c")
own = pytest.importorskip("pykern.bench.own")

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")

# What QEMU 7.2 and Bochs 2.7 both print after one iteration of each program.
CHECKSUMS: dict[str, str] = json.loads((Path(__file__).parent / "checksums.json").read_text())
every_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


@every_program
def test_checksum(program: Program, tmp_path: Path) -> None:
    built = image.build("guest", program.source, tmp_path, program.flags)
    outcome = own.Pykern().run(built.rom(1, program.arguments))
    assert outcome.checksum == CHECKSUMS[program.name]


@pytest.mark.slow
@every_program
def test_speed(program: Program, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    built = image.build("guest", program.source, tmp_path, program.flags)
    rom = built.rom(program.iterations, program.arguments)
    outcome = benchmark(own.Pykern().run, rom)
    benchmark.extra_info["instructions"] = outcome.instructions
