"""Linear framebuffer."""

from __future__ import annotations

import numpy as np
import pytest

from pykern.machine.devices.framebuffer import Framebuffer
from pykern.machine.devices.memory import Memory


def test_pixels_are_xrgb_with_a_pitch() -> None:
    memory = Memory(3 * 64)
    frame = Framebuffer(memory.data, 10, 3, pitch=64)
    memory.write(2 * 64 + 4 * 9, 4, 0xFF112233)
    picture = np.asarray(frame.render())
    assert picture.shape == (3, 10, 3)
    assert tuple(picture[2, 9]) == (0x11, 0x22, 0x33)
    assert picture.sum() == 0x11 + 0x22 + 0x33


def test_the_last_line_needs_no_full_pitch() -> None:
    Framebuffer(bytearray(64 + 40), 10, 2, pitch=64)


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="memory has 100 bytes, expected at least 104"):
        Framebuffer(bytearray(100), 10, 2, pitch=64)


def test_a_pitch_shorter_than_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="pitch is 39 bytes, expected at least 40"):
        Framebuffer(bytearray(1000), 10, 2, pitch=39)
