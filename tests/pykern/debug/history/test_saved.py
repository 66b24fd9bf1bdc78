"""States that are kept: one comes back as often as one likes, to another future each time."""

from __future__ import annotations

import pytest

from pykern.debug.history.journal import Input
from pykern.debug.history.position import Position
from pykern.debug.history.timeline import Timeline
from tests.guest import ENTRY
from tests.pykern.debug.history.reversible import run
from tests.pykern.debug.history.test_reversible_machine import (
    MOV,
    SHARED,
    counting,
    note_state,
    undisturbed,
)

POINT = f"Z1,{ENTRY + MOV:x},1"


def monitor(command):
    return f"qRcmd,{command.encode().hex()}"


def said(replies):
    return [bytes.fromhex(r[1:]).decode() for r in replies if r.startswith("O") and r != "OK"]


@pytest.mark.parametrize("cpus", [1, 4])
def test_back_to_it_as_often_as_one_likes(tmp_path, cpus):
    """After running on, and after changes; the run from there is the one that was (I4)."""
    change = [f"M{SHARED:x},2:3412", "P0=7856000000000000"]
    onward = ["c", note_state] * 3
    script = [POINT, *["c"] * 5, monitor("save here"), note_state, *onward,
              monitor("load here"), "c", note_state, *onward, *change,
              monitor("load here"), *change, "vCont;s:1;c", note_state, *onward,
              POINT.replace("Z", "z")]  # fmt: skip
    replies, notes, end = run(counting(cpus), script, tmp_path)
    assert notes[:4] == notes[4:8] == notes[8:]
    assert len(set(notes)) == 4
    assert "now type: continue\n" in said(replies)
    assert sum(reply.startswith("T00") for reply in replies) == 2
    assert end == undisturbed(counting(cpus))


def test_what_comes_after_is_forgotten_and_what_was_before_is_not(tmp_path):
    script = [POINT, *["c"] * 3, monitor("bookmark early"), *["c"] * 3, monitor("save here"),
              note_state, *["c"] * 3, monitor("bookmark late"), monitor("load here"), "c",
              monitor("timeline"), "bc", "bc", note_state, "c", note_state, "c", note_state,
              monitor("goto late"), monitor("goto early"), "bc", note_state]  # fmt: skip
    replies, notes, _ = run(counting(2), script, tmp_path)
    timeline = next(text for text in said(replies) if "checkpoints" in text)
    assert "bookmark early" in timeline
    assert "saved here" in timeline
    assert "bookmark late" not in timeline
    assert "end of what is recorded" not in timeline
    assert notes[3] == notes[0]
    assert "no bookmark" in said(replies)[-2]
    assert len(set(notes)) == 4


def test_from_one_future_to_another_and_back(tmp_path):
    """Two states that no run connects; the way back from each is its own."""
    script = [POINT, *["c"] * 4, note_state, monitor("save trunk"), *["c"] * 4, note_state,
              monitor("save one"), monitor("load trunk"), "c", f"M{SHARED:x},2:3412",
              *["c"] * 6, note_state, monitor("save two"),
              monitor("load one"), "c", note_state, *["bc"] * 4, note_state,
              monitor("load two"), "c", note_state, "bc", "c", note_state]  # fmt: skip
    _, notes, _ = run(counting(1), script, tmp_path)
    trunk, one, two, again, back, other, behind = notes
    assert again == one
    assert back == trunk
    assert other == two == behind


def test_errors(tmp_path):
    script = [monitor("load nowhere"), monitor("delvm nowhere"), monitor("save a"),
              monitor("load b"), monitor("delvm a"), monitor("load a")]  # fmt: skip
    replies, _, _ = run(counting(1), script, tmp_path)
    assert said(replies) == [
        "no state 'nowhere' is kept; there are: none\n",
        "no state 'nowhere' is kept; there are: none\n",
        "a: 0 ns, 0 instructions\n",
        "no state 'b' is kept; there are: a\n",
        "no state 'a' is kept; there are: none\n",
    ]


def test_a_run_that_nothing_repeats_ends_what_was_known_of_the_past(tmp_path):
    script = [POINT, *["c"] * 4, monitor("save here"), note_state, "vCont;s:2", note_state,
              monitor("load here"), "c", note_state, "c", monitor("load here"), "c", note_state,
              "bc", note_state]  # fmt: skip
    replies, notes, _ = run(counting(2), script, tmp_path)
    assert notes[2] == notes[3] == notes[0] == notes[4]
    assert replies[-2].endswith("replaylog:begin;")


def at(total, entries=0, **more):
    return Position((total,), total, entries, **more)


def test_which_points_lie_on_the_way():
    one, other = Input(at(50), b"a"), Input(at(50), b"b")
    mine, its, none = (Timeline(entries, 0) for entries in ((one,), (other,), ()))
    goal = at(100, 1)
    assert mine.leads(at(40), goal, its)
    assert not mine.leads(at(60, 1), goal, its)
    assert mine.leads(at(60, 1), goal, mine)
    assert not none.leads(at(60), goal, mine)
    assert none.leads(at(50), goal, mine)
    assert not mine.leads(at(120, 1), goal, mine)
    assert not mine.leads(at(40), goal, Timeline((one,), 1))
