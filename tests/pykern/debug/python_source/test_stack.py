"""A debugger's walk over frames of Python."""

from __future__ import annotations

import struct
import sys

import pytest

from pykern.debug.python_source.dwarf import slots
from pykern.debug.python_source.functions import BEGINS, RETURNED
from pykern.debug.python_source.stack import TEXTS, VirtualStack, show
from tests.pykern.debug.python_source import samples

RSP = 0xFFFF_B000_0000_EF10
DEAD = b"\xdd"


def stack_in(functions, code, call, look=lambda _stack: None):
    """Return the stack at the first line of a function that a call reaches.

    Beside it the addresses of the lines of its frames, and what `look` says of it there.
    """
    found = []

    def trace(frame, event, _argument):
        if frame.f_code is code and event == "line" and not found:
            shown, at = [], frame
            while at is not None:
                shown += filter(None, [functions.frame(at)])
                at = at.f_back
            keep = [f for f in shown if f.function.path.endswith("samples.py")]
            stack = VirtualStack(keep, BEGINS, RSP)
            found.append((stack, [f.address for f in keep], look(stack)))
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(previous)
    return found[0]


@pytest.fixture
def two(sample_functions):
    """Return a stack of `double` called by `plain`, and the addresses of their lines."""
    return stack_in(sample_functions, samples.double.__code__, lambda: samples.plain(2))


def word(data):
    return struct.unpack("<Q", data)[0]


def test_unwinding(two):
    stack, lines, _ = two
    inner, outer = (frame.function for frame in stack.frames)
    assert (inner.name, outer.name) == ("samples.double", "samples.plain")
    assert stack.rip == inner.address
    # As gdb does it: the return address is at RSP, the caller's RSP behind it.
    resume = word(stack.over(stack.rsp, DEAD * 8))
    assert resume == lines[1] + RETURNED
    assert outer.address <= resume - 1 < outer.end
    # The outermost return address is the guest's own.
    assert stack.rsp + 8 == RSP
    assert stack.over(RSP, DEAD * 8) == DEAD * 8


def test_values_are_text(sample_functions):
    def look(stack):
        inner, outer = slots(stack.rsp + 8), slots(stack.rsp + 16)
        assert stack.read(inner + 8, 8) == bytes(8)  # `twice` has no value yet
        places = (inner, outer, outer + 8, outer + 16)
        return [stack.read(word(stack.read(place, 8)), 4) for place in places]

    call = lambda: samples.plain(2)  # noqa: E731
    stack, _, texts = stack_in(sample_functions, samples.double.__code__, call, look)
    assert [frame.function.names for frame in stack.frames] == [("i", "twice"), ("n", "total", "i")]
    assert texts == [b"0\0\0\0", b"2\0\0\0", b"0\0\0\0", b"0\0\0\0"]


def test_where_nothing_is(two):
    stack, *_ = two
    for address in (TEXTS - 1, TEXTS + (1 << 24), word(stack.read(slots(stack.rsp + 8), 8)) + 8192,
                    slots(stack.rsp), slots(stack.rsp + 24), 0, RSP):  # fmt: skip
        assert stack.read(address, 8) is None


def test_memory_beside_it_is_the_guests(two):
    stack, *_ = two
    memory = stack.over(stack.rsp, DEAD * 8)
    whole = DEAD * 16 + memory + DEAD * 32
    assert memory != DEAD * 8
    for start in range(-16, 16):
        for size in range(16):
            shown = stack.over(stack.rsp + start, DEAD * size)
            assert shown == whole[16 + start : 16 + start + size], (start, size)


class Bad:
    """Has a representation that fails."""

    def __repr__(self):
        raise ValueError("no")


def test_values_that_are_long_or_bad():
    assert show(Bad()).startswith("<Bad ")
    assert len(show(list(range(10**5)))) < 1000
    assert len(show("x" * 10**6)) < 1000
    assert show(object()) == "<object>"
    assert show(show) == "<function show>"
    assert show(samples.Thing().method).startswith("<bound method Thing.method of ")
