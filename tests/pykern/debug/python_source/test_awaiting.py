"""Where threads of a kernel sleep."""

from __future__ import annotations

import types

import pytest

from pykern.debug.python_source.awaiting import awaited, sleeping_stack
from pykern.debug.python_source.functions import RETURNED
from tests.pykern.debug.python_source import samples

RSP = 0xFFFF_B000_0000_EF10


@pytest.fixture
def thread():
    """Return a thread whose hosted function sleeps."""
    coroutine = samples.Thing().outer(samples.new_wait())
    coroutine.send(None)
    call = types.SimpleNamespace(coroutine=coroutine, guest=None)
    yield types.SimpleNamespace(hosted=[call], context=types.SimpleNamespace(rsp=RSP))
    coroutine.close()


def test_the_chain_of_awaits(sample_functions, thread):
    names = [frame.function.name for frame in awaited(sample_functions, thread)]
    assert names == ["Thing.sleeps", "Thing.outer"]
    assert next(str(frame).rpartition("/")[2] for frame in awaited(sample_functions, thread)) == (
        f"samples.py:{samples.Thing.sleeps.__code__.co_firstlineno + 2}"
    )


def test_its_stack(sample_functions, thread):
    stack = sleeping_stack(sample_functions, thread)
    inner = stack.frames[0].function
    assert stack.rip == inner.address_of(inner.line + 2) + RETURNED
    assert stack.rsp == RSP - 8


def test_who_does_not_sleep_in_python(sample_functions, thread):
    thread.hosted[-1].guest = (1, 2)
    assert sleeping_stack(sample_functions, thread) is None
    thread.hosted.clear()
    assert sleeping_stack(sample_functions, thread) is None
    assert awaited(sample_functions, thread) == []


def test_a_coroutine_that_runs_does_not_sleep(sample_functions):
    found = []

    class Look:
        def __await__(self):
            found.append(awaited(sample_functions, one))
            yield samples.new_wait()

    coroutine = samples.Thing().outer(Look())
    one = types.SimpleNamespace(hosted=[types.SimpleNamespace(coroutine=coroutine, guest=None)])
    coroutine.send(None)
    assert found == [[]]
    coroutine.close()
