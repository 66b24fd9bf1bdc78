"""Wires: edges, wired OR, gates."""

from __future__ import annotations

from pykern.machine.irq import Gate, IrqLine


def watched() -> tuple[IrqLine, list[bool]]:
    edges: list[bool] = []
    return IrqLine(edges.append), edges


def test_observers_hear_changes_only() -> None:
    line, edges = watched()
    for level in (False, True, True, False, False):
        line.set(level)
    assert edges == [True, False]


def test_pulse_is_a_rising_and_a_falling_edge() -> None:
    line, edges = watched()
    line.pulse()
    assert edges == [True, False]


def test_a_late_observer_is_told_a_high_level() -> None:
    line = IrqLine()
    line.set(True)
    edges: list[bool] = []
    line.connect(edges.append)
    assert edges == [True]


def test_drivers_are_ored() -> None:
    line, edges = watched()
    first, second = line.driver(), line.driver()
    first.set(True)
    second.set(True)
    first.set(False)
    assert line.level
    second.set(False)
    assert edges == [True, False]


def test_a_blocked_gate_holds_its_target_low() -> None:
    target, edges = watched()
    block = IrqLine()
    gate = Gate(target, blocked_by=block)
    gate.set(True)
    block.set(True)
    assert not target.level
    block.set(False)
    gate.set(False)
    assert edges == [True, False, True, False]
