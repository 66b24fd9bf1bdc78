"""The Trace Event Format: what is written is JSON, whole or cut off."""

import io
import json

from pykern.kernel.trace_events import TraceEvents, Track

TRACK = Track(3, 4)


def written(*, close=True):
    out = io.StringIO()
    events = TraceEvents(out)
    events.name_process(3, "sh", 1)
    events.name_track(TRACK, "sh")
    events.name_track(TRACK, "sh")
    events.span(TRACK, "read", 1500, 4000, "syscall", unfinished=True)
    events.instant(TRACK, 'a "quoted" name', 2001, "fault")
    events.arrow("message", 7, (TRACK, 1500), (Track(5, 5), 9000))
    if close:
        events.close()
    return out.getvalue()


def test_events():
    events = json.loads(written())
    assert [event["ph"] for event in events] == ["M", "M", "M", "X", "i", "s", "f", "M"]
    span = events[3]
    assert (span["ts"], span["dur"], span["pid"], span["tid"]) == (1.5, 2.5, 3, 4)
    assert span["args"] == {"unfinished": True}
    assert events[4]["name"] == 'a "quoted" name'
    assert events[5]["id"] == events[6]["id"] == 7


def test_a_file_that_was_cut_off_is_an_array_but_for_its_end():
    """As the format allows."""
    text = written(close=False)
    assert len(json.loads(text.rstrip().rstrip(",") + "]")) == 7
