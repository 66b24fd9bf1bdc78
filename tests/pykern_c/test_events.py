"""Virtual time: order, cancellation, exceptions, compared with a sorted list."""

import gc
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern_c.events import Event, Events


def test_events_are_called_at_their_deadline_in_order():
    events = Events()
    calls = []
    for deadline in (30, 10, 20):
        events.at(deadline, lambda d=deadline: calls.append((d, events.now)))
    assert events.deadline == 10
    assert events.advance(25) == 2
    assert calls == [(10, 10), (20, 20)]
    assert (events.now, events.deadline, len(events)) == (25, 30, 1)


def test_equal_deadlines_are_called_in_order_of_creation():
    events = Events()
    calls = []
    for n in range(100):
        events.at(7, lambda n=n: calls.append(n))
    events.advance(7)
    assert calls == list(range(100))


def test_a_saved_sequence_restores_the_place_among_equals():
    events = Events()
    calls = []
    first = events.at(5, lambda: calls.append("first"))
    events.at(5, lambda: calls.append("second"))
    sequence = first.sequence
    first.cancel()
    events.at(5, lambda: calls.append("first again"), sequence=sequence)
    events.at(5, lambda: calls.append("third"))
    events.advance(5)
    assert calls == ["first again", "second", "third"]


def test_a_callback_may_schedule_at_its_own_time():
    events = Events()
    calls = []

    def chain():
        calls.append(events.now)
        if len(calls) < 3:
            events.at(events.now, chain)

    events.at(4, chain)
    assert events.advance(4) == 3
    assert calls == [4, 4, 4]


def test_a_periodic_callback_keeps_its_period():
    events = Events()
    calls = []

    def tick():
        calls.append(events.now)
        events.at(events.now + 10, tick)

    events.at(10, tick)
    events.advance(55)
    assert calls == [10, 20, 30, 40, 50]


def test_a_callback_may_cancel_one_that_is_due_too():
    events = Events()
    calls = []
    events.at(1, lambda: victim.cancel())
    victim = events.at(1, lambda: calls.append("victim"))
    events.at(1, lambda: calls.append("other"))
    events.advance(1)
    assert calls == ["other"]


def test_cancel_moves_the_next_deadline():
    events = Events()
    first = events.at(10, lambda: None)
    events.at(20, lambda: None)
    first.cancel()
    assert events.deadline == 20
    first.cancel()
    assert len(events) == 1


def test_cancel_after_firing_is_harmless():
    events = Events()
    event = events.at(1, lambda: None)
    assert event.pending
    events.advance(1)
    assert not event.pending
    event.cancel()
    assert events.deadline is None


def test_an_exception_propagates_and_loses_only_its_own_event():
    events = Events()
    calls = []

    def fail():
        raise LookupError("disk 3")

    events.at(1, lambda: calls.append(1))
    failing = events.at(2, fail)
    events.at(2, lambda: calls.append(2))
    with pytest.raises(LookupError, match="disk 3"):
        events.advance(5)
    assert (calls, events.deadline, failing.pending) == ([1], 2, False)
    events.advance(5)
    assert (calls, events.deadline) == ([1, 2], None)


def test_run_due_runs_nothing_early():
    events = Events()
    events.at(10, lambda: None)
    assert events.run_due(9) == 0
    assert events.run_due(10) == 1


def test_a_past_deadline_is_due_at_once():
    events = Events()
    events.advance(100)
    events.at(50, lambda: None)
    assert events.run_due() == 1
    assert events.now == 100


def test_time_does_not_go_back():
    events = Events()
    events.advance(10)
    with pytest.raises(ValueError, match="now 10 ns, asked 9 ns"):
        events.advance(9)


@pytest.mark.parametrize("deadline", [-1, 1 << 64])
def test_a_deadline_outside_64_bits_is_refused(deadline):
    with pytest.raises(OverflowError):
        Events().at(deadline, lambda: None)


def test_what_is_not_callable_is_refused():
    with pytest.raises(TypeError, match="callable, not int"):
        Events().at(1, 5)


def test_only_the_queue_makes_events():
    with pytest.raises(TypeError, match=r"Events\.at"):
        Event()


def test_clear_forgets_everything():
    events = Events()
    event = events.at(1, lambda: None)
    events.clear()
    assert (len(events), event.pending, events.advance(5)) == (0, False, 0)


def test_load_restores_time_and_numbering():
    events = Events()
    events.advance(77)
    events.at(100, lambda: None)
    state = events.save()
    other = Events()
    other.at(5, lambda: None)
    other.load(state)
    assert (other.now, len(other)) == (77, 0)
    assert other.at(100, lambda: None).sequence == 1


def test_a_queue_with_pending_events_can_be_collected():
    class Device:
        def __init__(self, events):
            self.event = events.at(1, self.tick)

        def tick(self):
            pass

    device = Device(Events())
    gone = weakref.ref(device)
    del device
    gc.collect()
    assert gone() is None


class EventsModel(RuleBasedStateMachine):
    """The heap against a list that is sorted every time."""

    def __init__(self):
        super().__init__()
        self.events = Events()
        self.model = []  # (deadline, number, Event)
        self.called = []
        self.count = 0

    @rule(delay=st.integers(0, 20))
    def schedule(self, delay):
        number = self.count
        self.count += 1
        deadline = self.events.now + delay
        event = self.events.at(deadline, lambda: self.called.append(number))
        self.model.append((deadline, number, event))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data):
        index = data.draw(st.integers(0, len(self.model) - 1))
        self.model.pop(index)[2].cancel()

    @rule(step=st.integers(0, 15))
    def advance(self, step):
        target = self.events.now + step
        due = sorted(entry[:2] for entry in self.model if entry[0] <= target)
        self.called.clear()
        assert self.events.advance(target) == len(due)
        assert self.called == [number for _, number in due]
        self.model = [entry for entry in self.model if entry[0] > target]

    @invariant()
    def agrees(self):
        assert len(self.events) == len(self.model)
        assert self.events.deadline == min((entry[0] for entry in self.model), default=None)


TestEventsModel = EventsModel.TestCase
TestEventsModel.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True
)
