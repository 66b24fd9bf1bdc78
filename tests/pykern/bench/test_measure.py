"""Timing rules, on a machine whose cost is a formula."""

from __future__ import annotations

import struct

import pytest

from pykern.bench import measure
from pykern.bench.image import PARAMETERS_MAGIC, Image
from pykern.bench.machines import Outcome, RunError
from pykern.bench.programs import Program

PROGRAM = Program("made up", "loops", "none.c", iterations=10)
IMAGE = Image("made up", bytes(32) + PARAMETERS_MAGIC + bytes(40), bytes(0x10000))


class Formula:
    """Start-up takes one second, an iteration `cost` seconds and 7 instructions."""

    name = version = "formula"

    def __init__(self, cost: float, noise: float = 0.0) -> None:
        self.cost = cost
        self.noise = noise
        self.runs: list[int] = []

    def run(self, rom: bytes) -> Outcome:
        (iterations,) = struct.unpack_from("<Q", rom, rom.index(PARAMETERS_MAGIC) + 8)
        self.runs.append(iterations)
        late = self.noise if len(self.runs) % 3 else 0.0
        return Outcome(
            f"{iterations:016x}", 1 + self.cost * iterations + late, 100 + 7 * iterations
        )


def test_start_up_is_not_counted() -> None:
    result = measure.measure(Formula(0.1), IMAGE, PROGRAM, repeat=1, seconds=0.5)
    assert result.iterations == PROGRAM.iterations
    assert result.seconds == pytest.approx(1.0)
    assert result.instructions == 7


def test_a_fast_machine_gets_more_iterations() -> None:
    result = measure.measure(Formula(1e-6), IMAGE, PROGRAM, repeat=1, seconds=0.5)
    assert result.seconds >= 0.125
    assert result.seconds_per_iteration == pytest.approx(1e-6, rel=1e-3)


def test_the_checksum_is_that_of_the_programs_own_iterations() -> None:
    result = measure.measure(Formula(1e-6), IMAGE, PROGRAM, repeat=1, seconds=0.5)
    assert result.checksum == f"{PROGRAM.iterations:016x}"


def test_the_fastest_of_the_repeated_runs_counts() -> None:
    result = measure.measure(Formula(0.1, noise=0.3), IMAGE, PROGRAM, repeat=3, seconds=0.5)
    assert result.seconds == pytest.approx(1.0)


def test_a_machine_that_takes_no_time_is_an_error() -> None:
    with pytest.raises(RunError, match="took no time"):
        measure.measure(Formula(0.0), IMAGE, PROGRAM, repeat=1, seconds=0.5)
