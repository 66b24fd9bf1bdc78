"""Where a tracer stops: at lines, behind calls, across sleep."""

from __future__ import annotations

import contextlib

import pytest

from pykern.debug.python_source.functions import BEGINS, RETURNED
from pykern.debug.python_source.tracing import Step, Tracer, is_coroutine
from tests.pykern.debug.python_source import samples


class Recorder:
    """Notes stops, and does what a script says at each."""

    def __init__(self, functions, roots, script=()):
        self.stops, self.left = [], []
        codes = [root.__code__ for root in roots]
        self.meant = lambda _frames: True
        self.tracer = Tracer(
            functions,
            lambda f: f.f_code in codes,
            lambda frames, _offset: self.meant(frames),
            self._stop,
            self.left.append,
        )
        self._script = iter(script)

    def _stop(self, frames, offset, at_breakpoint):
        top = frames[0]
        relative = top.line - top.function.line
        self.stops.append((top.function.name.rpartition(".")[2], relative, offset, at_breakpoint))
        command = next(self._script, "continue")
        self.tracer.step = None
        self.tracer.resumed = frames[-1].frame
        if command == "step":
            self.tracer.step = Step(frames[-1].frame)
        elif command == "line":
            start = top.address
            self.tracer.step = Step(frames[-1].frame, (start, start + 4))
        elif isinstance(command, set):
            self.tracer.breakpoints = command
        self.tracer.prepare()

    def run(self, call):
        self.tracer.prepare()
        self.tracer.run(lambda _: call(), None)
        return self.stops


@pytest.fixture
def address(sample_functions):
    """Return what finds the address of a line of a function, counted from its `def`."""

    def find(function, line, offset=BEGINS):
        known = sample_functions.of(function.__code__)
        found = known.address_of(known.line + line) + offset
        assert known.line + line in known.lines
        return found

    return find


def test_a_breakpoint_that_is_not_meant_ends_a_step_no_less(sample_functions, address):
    """A condition is false; a step that ends there stops for itself, one that goes on does not."""
    here = address(samples.plain, 3)
    recorder = Recorder(sample_functions, [samples.plain])
    recorder.tracer.breakpoints = {here}
    recorder.meant = lambda _frames: False
    assert not recorder.run(lambda: samples.plain(4))
    first = address(samples.plain, 1)
    for command, others in (("step", True), ("line", False)):
        recorder = Recorder(sample_functions, [samples.plain], [command])
        recorder.tracer.breakpoints = {first, first + 4, here}
        recorder.meant = lambda frames: frames[0].address == first
        stops = recorder.run(lambda: samples.plain(4))
        assert stops[0][3]
        assert not any(at_breakpoint for *_, at_breakpoint in stops[1:])
        assert len(stops) > 1 or not others


def test_breakpoints(sample_functions, address):
    recorder = Recorder(sample_functions, [samples.plain])
    recorder.tracer.breakpoints = {address(samples.plain, 3), address(samples.double, 1)}
    stops = recorder.run(lambda: samples.plain(2))
    assert stops == [("plain", 3, 0, True), ("double", 1, 0, True)] * 2


def test_steps_go_into_calls_and_back(sample_functions, address):
    recorder = Recorder(sample_functions, [samples.plain], ["step"] * 20)
    recorder.tracer.breakpoints = {address(samples.plain, 3)}
    stops = recorder.run(lambda: samples.plain(1))
    assert [stop[:3] for stop in stops] == [
        ("plain", 3, BEGINS),
        ("double", 1, BEGINS),
        ("double", 2, BEGINS),
        ("plain", 3, RETURNED),
        ("plain", 2, BEGINS),
        ("plain", 4, BEGINS),
    ]
    assert len(recorder.left) == 1


def test_out_of_a_call(sample_functions, address):
    """As `finish` does it: a breakpoint behind the call."""
    behind = address(samples.plain, 3, RETURNED)
    recorder = Recorder(sample_functions, [samples.plain], [{behind}])
    recorder.tracer.breakpoints = {address(samples.double, 1)}
    stops = recorder.run(lambda: samples.plain(1))
    assert stops == [("double", 1, BEGINS, True), ("plain", 3, RETURNED, True)]


def test_an_exception_is_a_way_back(sample_functions, address):
    recorder = Recorder(sample_functions, [samples.catches], ["step", "step"])
    recorder.tracer.breakpoints = {address(samples.fails, 1)}
    stops = recorder.run(samples.catches)
    assert [stop[:3] for stop in stops] == [
        ("fails", 1, BEGINS),
        ("catches", 2, RETURNED),
        ("catches", 3, BEGINS),
    ]


def test_a_generator_returns_to_its_caller(sample_functions, address):
    recorder = Recorder(sample_functions, [samples.uses_generator], ["step", "step"])
    recorder.tracer.breakpoints = {address(samples.generator, 2)}
    stops = recorder.run(lambda: samples.uses_generator(1))
    assert [stop[:3] for stop in stops] == [
        ("generator", 2, BEGINS),
        ("uses_generator", 2, RETURNED),
        ("uses_generator", 3, BEGINS),
    ]


def sleeper(thing):
    """Return a wait, a coroutine that awaits it, and what runs that further."""
    wait = samples.new_wait()
    coroutine = thing.outer(wait)

    def advance():
        with contextlib.suppress(StopIteration):
            coroutine.send(None)

    return wait, advance


def test_a_step_follows_a_coroutine_that_sleeps(sample_functions, address):
    wait, advance = sleeper(samples.Thing())
    other_wait, advance_other = sleeper(samples.Thing())
    root = samples.Thing.outer
    recorder = Recorder(sample_functions, [root], ["line", "line"])
    recorder.tracer.breakpoints = {address(samples.Thing.sleeps, 2)}

    def first():
        advance()
        recorder.tracer.breakpoints = set()
        recorder.tracer.prepare()
        advance_other()
        other_wait.time_out()
        advance_other()

    recorder.run(first)
    assert recorder.stops == [("sleeps", 2, BEGINS, True)]
    wait.time_out()
    recorder.run(advance)
    assert recorder.stops[1:] == [("sleeps", 3, BEGINS, False), ("outer", 1, RETURNED, False)]
    assert recorder.left == []


def test_behind_a_call_only_the_one_that_was_looked_at_counts(sample_functions, address):
    """Two coroutines sleep in one function; gdb waits for one of them."""
    wait, advance = sleeper(samples.Thing())
    other_wait, advance_other = sleeper(samples.Thing())
    behind = address(samples.Thing.outer, 1, RETURNED)
    recorder = Recorder(sample_functions, [samples.Thing.outer], [{behind}])
    recorder.tracer.breakpoints = {address(samples.Thing.sleeps, 2)}

    def run():
        advance()
        advance_other()
        other_wait.time_out()
        advance_other()

    recorder.run(run)
    assert len(recorder.stops) == 1
    wait.time_out()
    recorder.run(advance)
    assert recorder.stops[1:] == [("outer", 1, RETURNED, True)]


def test_nothing_is_traced_that_nobody_asked_for(sample_functions, address):
    recorder = Recorder(sample_functions, [samples.plain])
    recorder.tracer.breakpoints = {address(samples.fails, 1)}
    assert recorder.run(lambda: samples.plain(3)) == []


def test_coroutines_are_known():
    coroutine = samples.Thing().outer(samples.new_wait())
    assert is_coroutine(coroutine.cr_frame)
    assert not is_coroutine(samples.generator(1).gi_frame)
    coroutine.close()
