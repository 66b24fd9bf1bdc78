"""The latch between FERR# and IRQ 13."""

from __future__ import annotations

import pytest

from pykern.machine.devices.coprocessor import Coprocessor
from pykern.machine.irq import IrqLine


@pytest.fixture
def irq() -> IrqLine:
    return IrqLine()


@pytest.fixture
def coprocessor(irq: IrqLine) -> Coprocessor:
    return Coprocessor(irq)


@pytest.mark.parametrize("port", [0, 1])
def test_an_error_holds_irq_13_until_it_is_cleared(
    coprocessor: Coprocessor, irq: IrqLine, port: int
) -> None:
    coprocessor.assert_ferr()
    assert irq.level
    coprocessor.write(port, 1, 0x00)
    assert not irq.level


def test_reset_clears_the_latch(coprocessor: Coprocessor, irq: IrqLine) -> None:
    coprocessor.assert_ferr()
    coprocessor.reset()
    assert not irq.level


def test_the_latch_is_write_only(coprocessor: Coprocessor) -> None:
    assert coprocessor.read(0, 2) == 0xFFFF
