"""What comes in from outside, and what goes out, in a run that is repeated."""

from __future__ import annotations

import io

from gdbstub import ThreadId
from pykern.debug.history.console import RecordedConsole
from pykern.debug.history.journal import Input, Journal, Write
from pykern.debug.history.outputs import Outputs
from pykern.debug.history.position import Position


class Clock:
    """As much of a machine as a console looks at."""

    def __init__(self):
        self.now = self.retired = 0
        self.vcpus = (self,)

    def tick(self):
        self.now += 10
        self.retired += 7


class Typist:
    """A console at which something is typed at every third look."""

    def __init__(self):
        self.looks = 0

    def read(self):
        self.looks += 1
        return b"" if self.looks % 3 else b"line %d\n" % self.looks

    def wait(self, _seconds):
        return False


def read_all(console, clock, times):
    found = []
    for _ in range(times):
        found.append(console.read())
        clock.tick()
    return found


def test_what_was_typed_is_typed_again_at_the_same_time():
    journal, clock, typist = Journal(), Clock(), Typist()
    console = RecordedConsole(typist, journal, clock)
    typed = read_all(console, clock, 10)
    assert sum(map(bool, typed)) == 3
    # The same again, from a copy that was made after four looks.
    clock = Clock()
    again = Journal()
    again.entries, again.end, again.cursor = journal.entries, Position((70,), 100), 1
    replayed = RecordedConsole(typist, again, clock)
    for _ in range(4):
        clock.tick()
    assert read_all(replayed, clock, 6) == typed[4:]
    assert typist.looks == 10
    assert replayed.wait(None)
    again.end = None
    assert not replayed.wait(None)


def test_another_future_forgets_what_was_to_come():
    journal = Journal()
    for n in range(5):
        journal.add(Input(Position((n,), n, n), b"x"))
    journal.cursor, journal.end = 2, Position((9,), 9)
    change = Write(Position((2,), 2, 2), ThreadId(1, 1), {"rax": 1})
    journal.add(change)
    assert journal.entries[2:] == [change]
    assert not journal.replaying
    assert journal.next_write() is None


def test_output_is_shown_once():
    text, data, outputs = io.StringIO(), io.BytesIO(), Outputs()
    one, two = outputs.once(text), outputs.once(data)
    one.write("abc")
    two.write(b"12")
    shown = outputs.shown()
    # A copy from before all that.
    copy = Outputs()
    one, two = copy.once(text), copy.once(data)
    copy.leave_out(shown)
    for letter in "abcde":
        assert one.write(letter) == 1
    two.write(b"123")
    assert (text.getvalue(), data.getvalue()) == ("abcde", b"123")
    copy.show_all()
    two.write(b"4")
    assert data.getvalue() == b"1234"
    assert one.getvalue() == "abcde"
