"""Exits and fault records: data, and text for people."""

from __future__ import annotations

import dataclasses

import pytest

from pykern_c.exits import Exit, ExitReason, FaultRecord


def test_an_exit_is_a_value():
    assert Exit(ExitReason.HLT, vcpu=1) == Exit(ExitReason.HLT, vcpu=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Exit(ExitReason.HLT).vcpu = 2


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (FaultRecord(13, 0, 0x1000, 0), "#GP(0x0) at rip 0x1000"),
        (FaultRecord(14, 2, 0x1000, 0xDEAD), "#PF(0x2) at rip 0x1000 accessing 0xdead"),
        (FaultRecord(6, None, 0xFFF0, 0), "#UD at rip 0xfff0"),
        (FaultRecord(33, None, 0, 0), "vector 33 at rip 0x0"),
    ],
)
def test_a_fault_is_written_as_the_manual_does(fault, text):
    assert str(fault) == text
