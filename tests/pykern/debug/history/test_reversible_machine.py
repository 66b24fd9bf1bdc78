"""Going back in time, without gdb: every instruction, stop and byte is the one that was."""

from __future__ import annotations

import pytest

from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine
from tests.pykern.debug.history.reversible import run

COUNT = """
1:  lock inc qword ptr [0x5000]
    inc qword ptr [0x5008 + rdi * 8]
    mov rax, [0x5000]
    jmp 1b
"""
LOCK_INC, INC, MOV, JMP = 0, 9, 17, 25
SHARED, OWN = 0x5000, 0x5008


def counting(cpus, seed=5):
    return lambda: long_mode_machine(COUNT, cpus=cpus, seed=seed)


def undisturbed(make, until=600_000):
    """Return the state hash of a run that nobody looks at."""
    machine = make()
    while machine.now < until:
        assert machine.run(min(machine.now + 50_000, until)).reason is ExitReason.BUDGET
    return machine.state_hash()


def note_state(gdb, machine):
    """Note hash and counts, and ask for nothing."""
    gdb.notes.append((machine.state_hash(), machine.retired))


def fields(reply):
    return dict(part.split(":", 1) for part in reply[3:].split(";") if part)


def stops(replies):
    """Return (thread, offset of RIP) of each stop."""
    found = [fields(reply) for reply in replies if reply.startswith("T05")]
    return [
        (int(f["thread"], 16), int.from_bytes(bytes.fromhex(f["10"]), "little") - ENTRY)
        for f in found
    ]


@pytest.mark.parametrize("cpus", [1, 4])
def test_steps_back_are_the_steps_forward(tmp_path, cpus):
    steps = 12
    thread = min(2, cpus)
    script = [f"Z0,{ENTRY + MOV:x},1", *["c"] * 30, f"z0,{ENTRY + MOV:x},1", f"Hc{thread}"]
    for _ in range(steps):
        script += [f"vCont;s:{thread};c", note_state]
    for _ in range(steps - 1):
        script += [f"Hc{thread}", "bs", note_state]
    replies, notes, _ = run(counting(cpus), script, tmp_path)
    forward, back = notes[:steps], notes[steps:]
    assert back == forward[-2::-1]
    places = stops(replies)[-2 * steps + 1 :]
    assert places[steps:] == places[:steps][-2::-1]


@pytest.mark.parametrize("cpus", [1, 4])
def test_breakpoints_are_passed_in_the_opposite_order(tmp_path, cpus):
    """And the machine goes on from there to the very end that it has without anybody looking."""
    point = f"Z1,{ENTRY + MOV:x},1"
    forward = [point, *["c", note_state] * 20]
    script = [*forward, *["bc", note_state] * 19, *["c", note_state] * 19, point.replace("Z", "z")]
    _, notes, end = run(counting(cpus), script, tmp_path)
    assert notes[20:39] == notes[:19][::-1]
    assert notes[39:] == notes[1:20]
    assert len(set(notes)) == 20
    assert end == undisturbed(counting(cpus))


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("kind", [2, 4])
def test_a_watchpoint_backwards_stops_before_the_access(tmp_path, cpus, kind):
    where = ENTRY + JMP
    script = [
        f"Z0,{where:x},1", *["c"] * 40, f"z0,{where:x},1",
        f"m{SHARED:x},8", f"Z{kind},{SHARED:x},8", "bc", f"m{SHARED:x},8", "bc", f"m{SHARED:x},8",
    ]  # fmt: skip
    replies, _, end = run(counting(cpus), script, tmp_path)
    counts = [int.from_bytes(bytes.fromhex(r), "little") for r in replies if len(r) == 16]
    found = [r for r in replies if "watch:5000" in r]
    assert len(found) == 2
    if kind == 2:
        assert counts[1:] == [counts[0] - 1, counts[0] - 2]
        assert [place for _, place in stops(found)] == [LOCK_INC, LOCK_INC]
    assert end == undisturbed(counting(cpus))


def test_where_history_begins_and_ends(tmp_path):
    script = ["vCont;s:1;c", note_state, "bc", "bc", "bs", note_state, "c", note_state]
    replies, notes, end = run(counting(2), script, tmp_path)
    assert all(reply.endswith(";replaylog:begin;") for reply in replies[3:6])
    assert replies[6].endswith(";replaylog:end;")
    assert notes[2] == notes[0]
    assert notes[1][1] == 0
    assert end == undisturbed(counting(2))


def test_what_gdb_changes_is_changed_again(tmp_path):
    """Its writes are in the journal: a way back and forth over them has the same states."""
    point = f"Z1,{ENTRY + MOV:x},1"
    script = [point, "c", "c", f"M{SHARED:x},2:3412", "P0=7856000000000000", note_state, "c",
              note_state, "bc", note_state, "bc", "c", note_state, "c", note_state]  # fmt: skip
    _, notes, _ = run(counting(1), script, tmp_path)
    at_write, after, back, again, end = notes
    assert back == again == at_write
    assert end == after != at_write


def test_a_change_in_the_past_is_another_future(tmp_path):
    point = f"Z1,{ENTRY + MOV:x},1"
    script = [point, *["c"] * 9, "bc", "bc", f"M{SHARED:x},2:3412", *["c"] * 3, f"m{SHARED:x},2",
              f"z1,{ENTRY + MOV:x},1"]  # fmt: skip
    replies, _, end = run(counting(1), script, tmp_path)
    assert int.from_bytes(bytes.fromhex(replies[-3]), "little") == 0x1234 + 3
    assert not any("replaylog" in reply for reply in replies)
    assert end != undisturbed(counting(1))


def test_a_processor_that_runs_alone_ends_history(tmp_path):
    """What it has done cannot be repeated, and nothing says otherwise."""
    script = ["vCont;s:2;c", "vCont;s:1;c", "vCont;s:2", note_state, "bc", note_state]
    replies, notes, _ = run(counting(2), script, tmp_path)
    assert replies[-2].endswith(";replaylog:begin;")
    assert notes[0] == notes[1]


def test_goto_and_timeline(tmp_path):
    def monitor(command):
        return f"qRcmd,{command.encode().hex()}"

    point = f"Z1,{ENTRY + MOV:x},1"
    script = [point, *["c"] * 20, point.replace("Z", "z"), note_state, monitor("bookmark here"),
              monitor("goto -37"), "bc", note_state, monitor("goto +7"), "c", note_state,
              monitor("goto -99999"), "bc", monitor("timeline"),
              monitor("goto here"), "c", note_state,
              monitor("goto +" + "9" * 5000), monitor("goto nowhere")]  # fmt: skip
    replies, notes, end = run(counting(2), script, tmp_path)
    said = [bytes.fromhex(r[1:]).decode() for r in replies if r.startswith("O") and r != "OK"]
    start = notes[0][1]
    assert [retired - start for _, retired in notes] == [0, -37, -30, 0]
    assert notes[3] == notes[0]
    assert [s for s in said if s.startswith("now type")] == [
        "now type: reverse-continue\n", "now type: continue\n", "now type: reverse-continue\n",
        "now type: continue\n",
    ]  # fmt: skip
    timeline = next(s for s in said if "checkpoints" in s)
    assert "bookmark here" in timeline
    assert "<- here" in timeline
    assert "end of what is recorded" in timeline
    assert all("no bookmark" in answer for answer in said[-2:])
    assert end == undisturbed(counting(2))


def test_a_reset_from_outside_ends_history(tmp_path):
    script = ["vCont;s:1;c", "vCont;s:1;c", "R", "vCont;s:1;c", "bc", "bc"]
    replies, _, _ = run(counting(1), script, tmp_path, resets=True)
    assert [reply.endswith(";replaylog:begin;") for reply in replies[-4:-1]] == [False, True, True]


@pytest.mark.parametrize("stop", [f"Z1,{ENTRY + MOV:x},1", f"Z2,{SHARED:x},8"])
def test_where_gdb_has_changed_something_there_is_still_a_stop(tmp_path, stop):
    """Backwards and forwards: the change does not hide the stop, nor is it lost from there."""
    script = [stop, *["c"] * 3, note_state, f"M{SHARED + 16:x},2:3412", note_state, "c", note_state,
              "bc", note_state, "bc", note_state, *["c", note_state] * 4]  # fmt: skip
    replies, notes, _ = run(counting(1), script, tmp_path)
    assert not any("replaylog:begin" in reply for reply in replies)
    before, changed, after = notes[:3]
    assert len({before, changed, after}) == 3
    forward = notes[5:]
    if stop.startswith("Z1"):
        assert notes[3] == changed
        assert forward == [changed, after, *notes[7:]]
    assert forward.index(changed) + 1 == forward.index(after)


def test_on_from_a_point_before_a_change_at_the_very_place(tmp_path):
    def monitor(command):
        return f"qRcmd,{command.encode().hex()}"

    point = f"Z1,{ENTRY + MOV:x},1"
    script = [point, *["c"] * 3, monitor("bookmark here"), note_state, f"M{SHARED:x},2:3412", "c",
              note_state, "c", monitor("goto here"), "bc", note_state, "c", note_state]  # fmt: skip
    replies, notes, _ = run(counting(1), script, tmp_path)
    assert notes[2:] == notes[:2]
    assert not any("recorded" in reply for reply in replies)


@pytest.mark.parametrize("where", ["100us", "-40"])
def test_to_a_time_before_a_change(tmp_path, where):
    """What gdb has changed later does not keep a run from stopping before."""

    def monitor(command):
        return f"qRcmd,{command.encode().hex()}"

    script = [monitor("goto 100us"), "c", note_state, monitor("goto 200us"), "c", note_state,
              f"M{SHARED:x},2:3412", "vCont;s:1;c", monitor(f"goto {where}"), "bc",
              note_state, *["Hc1", "bs"] * 2, monitor("goto 200us"), "c", note_state]  # fmt: skip
    _, notes, _ = run(counting(1), script, tmp_path)
    early, late, back, again = notes
    assert again[1] >= late[1]
    assert back[1] < late[1]
    assert back == early or where == "-40"
