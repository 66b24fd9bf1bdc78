"""Measure programs on machines: CPU time beyond an empty run of the image, the least of several."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pykern.bench.machines import RunError, Runner

if TYPE_CHECKING:
    from pykern.bench.image import Image
    from pykern.bench.programs import Program

MOST_ITERATIONS = 1 << 24


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One program on one machine.

    Attributes
    ----------
    checksum : str
        After the program's own number of iterations.
    iterations : int
        Iterations of the runs that were timed.
    seconds : float
        CPU time of these beyond that of an empty run.
    instructions : float or None
        Guest instructions of one iteration, by a machine that counts them.
    """

    checksum: str
    iterations: int
    seconds: float
    instructions: float | None

    @property
    def seconds_per_iteration(self) -> float:
        """CPU time of one iteration."""
        return self.seconds / self.iterations


def measure(
    runner: Runner, image: Image, program: Program, repeat: int, seconds: float
) -> Measurement:
    """Run a program on a machine, with as many iterations as take long enough to time.

    Parameters
    ----------
    runner : Runner
        The machine.
    image : Image
        The program, built.
    program : Program
        Its description.
    repeat : int
        Runs of each kind, of which the least counts.
    seconds : float
        CPU time that a timed run should take; a quarter of it is accepted.

    Raises
    ------
    RunError
        The machine did not run it to its end.
    """
    empty_rom = image.rom(0, program.arguments)
    empty = min((runner.run(empty_rom) for _ in range(repeat)), key=lambda outcome: outcome.seconds)
    iterations = program.iterations
    first = best = runner.run(image.rom(iterations, program.arguments))
    per_iteration = None
    if first.instructions is not None and empty.instructions is not None:
        per_iteration = (first.instructions - empty.instructions) / iterations
    while (spent := best.seconds - empty.seconds) < seconds / 4 and iterations < MOST_ITERATIONS:
        factor = seconds / spent if spent > seconds / 64 else 16
        iterations = min(int(iterations * max(factor, 2)), MOST_ITERATIONS)
        best = runner.run(image.rom(iterations, program.arguments))
    rom = image.rom(iterations, program.arguments)
    times = [best.seconds] + [runner.run(rom).seconds for _ in range(repeat - 1)]
    net = min(times) - empty.seconds
    if net <= 0:
        raise RunError(f"{runner.name}: {iterations} iterations of {program.name} took no time")
    return Measurement(first.checksum, iterations, net, per_iteration)
