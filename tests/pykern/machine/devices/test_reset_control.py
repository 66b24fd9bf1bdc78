"""Reset control register of the PIIX4."""

from __future__ import annotations

from pykern.machine.device import StopReason
from pykern.machine.devices.reset_control import ResetControl


def test_only_the_rising_edge_of_rst_cpu_resets() -> None:
    stops: list[tuple[str, int]] = []
    control = ResetControl(lambda reason, code: stops.append((reason, code)))
    control.write(0, 1, 0x02)
    assert stops == []
    control.write(0, 1, 0x0E)
    control.write(0, 1, 0x0E)
    assert stops == [(StopReason.RESET, 0)]
    control.write(0, 1, 0)
    control.write(0, 1, 4)
    assert len(stops) == 2


def test_it_reads_back() -> None:
    control = ResetControl(lambda _reason, _code: None)
    control.write(0, 1, 0xFF)
    assert control.read(0, 1) == 0x06
