"""Every guest program on pykern's machine, timed: ``pytest tests/bench --benchmark-only``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pykern.bench import image, peers
from pykern.bench.programs import PROGRAMS, Program

pytest.importorskip("pykern_c")
from pykern.bench.own import Pykern  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program(program: Program, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    built = image.build("guest", program.source, tmp_path, program.flags)
    rom = built.rom(program.iterations, program.arguments)
    outcome = benchmark.pedantic(Pykern().run, args=(rom,), rounds=3)
    benchmark.extra_info["instructions"] = outcome.instructions
    for peer in peers.find(["bochs", "qemu"], tmp_path)[:1]:
        assert outcome.checksum == peer.run(rom).checksum
