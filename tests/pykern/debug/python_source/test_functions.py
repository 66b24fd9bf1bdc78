"""Every line that the interpreter stops at has an address, and nothing else has."""

from __future__ import annotations

import inspect
import sys

import pytest

import pykern.kernel.kernel
from pykern.debug.python_source.functions import FIRST_ADDRESS, LINE_SIZE
from tests.pykern.debug.python_source import samples


def traced(function, *arguments):
    """Call a function; return {code: lines as the interpreter tells them}."""
    found = {}

    def local(frame, event, _argument):
        if event == "line":
            found.setdefault(frame.f_code, []).append(frame.f_lineno)
        return local

    previous = sys.gettrace()
    sys.settrace(lambda *_: local)
    try:
        result = function(*arguments)
        if inspect.iscoroutine(result):
            result.send(None)
            with pytest.raises(StopIteration):
                result.send(None)
    finally:
        sys.settrace(previous)
    return found


class Ready:
    """Is awaited without sleeping, after one sleep."""

    def __await__(self):
        yield
        return 3


CALLS = {
    "plain": lambda: samples.plain(3),
    "closure": lambda: samples.closure(3),
    "generator": lambda: samples.uses_generator(3),
    "exception": samples.catches,
    "decorated": lambda: samples.decorated(1, 2, key=3, other=4),
    "method": lambda: samples.Thing().method(),
    "coroutine": lambda: samples.Thing().outer(Ready()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_interpreter_stops_at_lines_that_have_an_address(sample_functions, call):
    events = {
        sample_functions.of(code): lines
        for code, lines in traced(call).items()
        if code.co_filename == samples.__file__
    }
    assert len(events) > 0
    for function, lines in events.items():
        assert set(lines) <= set(function.lines)
        assert lines[0] == function.lines[0]
        assert [function.address_of(line) for line in function.lines] == [
            function.address + LINE_SIZE * i for i in range(len(function.lines))
        ]


def test_names(sample_functions):
    names = {f.name: f for f in sample_functions.all if f.path.endswith("samples.py")}
    assert {"samples.plain", "closure.inner", "Thing.method", "Thing.method.lambda"} <= names.keys()
    assert names["samples.decorated"].parameters == ("a", "key", "rest", "more")
    assert names["samples.plain"].parameters == ("n",)
    assert names["samples.plain"].variables == ("total", "i")
    assert names["closure.inner"].variables == ("n",)


def test_addresses_are_used_once(kernel_functions):
    address = FIRST_ADDRESS
    for function in kernel_functions.all:
        assert function.address == address
        assert kernel_functions.at(address) is function
        assert kernel_functions.at(function.end - 1) is function
        address = function.end
    assert kernel_functions.end == address
    assert kernel_functions.at(address) is None
    assert kernel_functions.at(FIRST_ADDRESS - 1) is None


def test_code_that_runs_is_found(kernel_functions):
    """All of a big class, whether it runs from a source or from a cached file."""
    members = inspect.getmembers(pykern.kernel.kernel.Kernel, inspect.isfunction)
    for name, member in members:
        found = kernel_functions.of(member.__code__)
        assert found is not None, name
        assert found.name.endswith(f".{name}")
        assert found.path == "pykern/" + member.__code__.co_filename.rpartition("/pykern/")[2]
    assert kernel_functions.of(inspect.getmembers.__code__) is None
