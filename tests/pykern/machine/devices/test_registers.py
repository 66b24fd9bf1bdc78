"""Byte-wide registers and saved fields."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import pytest

from pykern.machine.devices.registers import ByteRegisters, SavedFields, all_ones
from tests.contracts.device import through_json


class Four(ByteRegisters):
    """Four registers that note who touches them."""

    SAVED = ("values",)

    def __init__(self) -> None:
        self.values = bytearray(b"\x11\x22\x33\x44")
        self.touched: list[int] = []

    def read_byte(self, offset: int) -> int:
        self.touched.append(offset)
        return self.values[offset] if offset < 4 else 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        self.touched.append(offset)
        if offset < 4:
            self.values[offset] = value


@pytest.mark.parametrize(("size", "value"), [(1, 0xFF), (2, 0xFFFF), (8, (1 << 64) - 1)])
def test_all_ones(size: int, value: int) -> None:
    assert all_ones(size) == value


def test_wide_accesses_become_bytes_low_one_first() -> None:
    chip = Four()
    assert chip.read(1, 2) == 0x3322
    chip.write(2, 4, 0xDDCCBBAA)
    assert chip.touched == [1, 2, 2, 3, 4, 5]
    assert chip.values == b"\x11\x22\xaa\xbb"
    assert chip.read(3, 2) == 0xFFBB


class Parts(SavedFields):
    SAVED: ClassVar = ("_number", "_queue", "_memory", "_maybe", "_chips")

    def __init__(self) -> None:
        self._number = 1
        self._queue = deque([1, 2])
        self._memory = bytearray(2)
        self._maybe: int | None = None
        self._chips = (Four(), Four())
        self.resumed = 0

    def resume(self) -> None:
        self.resumed += 1


def test_fields_of_every_kind_are_saved_and_loaded() -> None:
    parts = Parts()
    parts._queue.append(3)
    parts._maybe = 7
    parts._chips[1].values[0] = 0x99
    state = parts.save()
    assert state["queue"] == [1, 2, 3]
    assert state["memory"] == b"\0\0"
    other = Parts()
    chips = other._chips
    other.load(through_json(state))
    assert other.save() == state
    assert other._chips is chips, "parts keep their identity, and so their wires"
    assert isinstance(other._queue, deque)
    assert isinstance(other._memory, bytearray)
    assert other.resumed == 1
