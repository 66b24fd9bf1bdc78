"""SCA-23: anonymous memory that several processes share."""

from __future__ import annotations

import pytest

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.pager import BusError, SharedMemory


def test_pages_are_made_when_asked_for_and_freed_with_the_last_user(world):
    memory = SharedMemory(world.frames, 3 * PAGE_SIZE)
    memory.opened(None)
    memory.opened(None)
    one = memory.frame(PAGE_SIZE)
    assert memory.frame(PAGE_SIZE) == one != memory.frame(0)
    assert memory.resident == 2 * PAGE_SIZE
    with pytest.raises(BusError, match="offset 0x3000 of /dev/zero"):
        memory.frame(3 * PAGE_SIZE)
    memory.closed(None)
    assert memory.frame(PAGE_SIZE) == one
    memory.closed(None)
    assert memory.resident == 0


def test_who_only_looks_brings_no_page_in(world):
    memory = SharedMemory(world.frames, 2 * PAGE_SIZE)
    memory.opened(None)
    world.machine.write(memory.frame(0), b"there")
    assert memory.peek(0, world.machine)[:5] == b"there"
    assert memory.peek(PAGE_SIZE, world.machine) == bytes(PAGE_SIZE)
    assert memory.resident == PAGE_SIZE
    with pytest.raises(BusError):
        memory.peek(2 * PAGE_SIZE, world.machine)
    memory.closed(None)
