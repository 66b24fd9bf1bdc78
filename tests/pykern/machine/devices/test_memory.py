"""Memory of an adapter."""

from __future__ import annotations

from pykern.machine.devices.framebuffer import Framebuffer
from pykern.machine.devices.memory import Memory


def test_bytes_stay_in_place_for_those_who_look_at_them() -> None:
    memory = Memory(16)
    frame = Framebuffer(memory.data, 1, 1)
    memory.write(0, 4, 0x00FF0000)
    state = memory.save()
    memory.reset()
    assert frame.render().getpixel((0, 0)) == (0, 0, 0)
    memory.load(state)
    assert frame.render().getpixel((0, 0)) == (255, 0, 0)


def test_accesses_across_the_end() -> None:
    memory = Memory(6)
    memory.write(4, 4, 0x44332211)
    assert memory.data[4:] == b"\x11\x22"
    assert memory.read(4, 4) == 0xFFFF2211
