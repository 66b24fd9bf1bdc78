"""Run single instructions from given states, in batches: the core's side of differential tests."""

from typing_extensions import Buffer

from pykern_c.machine import Machine

def run(
    machine: Machine,
    codes: Buffer,
    states: Buffer,
    code: tuple[int, int, int],
    data: tuple[int, int, int],
    step: bool = False,
) -> None: ...
