"""The timeline: what it shows is what the kernel has counted, and watching changes nothing."""

import collections
import io
import itertools
import json

import pytest

from pykern.cli import main
from pykern.kernel.timeline import PROCESSORS, Timeline
from tests import booting

COMMANDS = b"ls | wc -l\nipcping\nspin & spin & spin & wait\nfault null\nsleep 9 &\npoweroff\n"
CPUS = 2


@pytest.fixture(scope="module")
def iso():
    return booting.image("pykern")


@pytest.fixture(scope="module")
def watched(iso):
    """Return a run, and the events of its timeline."""
    out = io.StringIO()
    booted = booting.boot(iso, cpus=CPUS, typed=COMMANDS, timeline=lambda m: Timeline(m, out))
    booted.timeline.close()
    return booted, json.loads(out.getvalue())


def of(events, category, phase="X"):
    return [event for event in events if event.get("cat") == category and event["ph"] == phase]


def test_watching_changes_nothing(iso, watched):
    alone, (booted, _) = booting.boot(iso, cpus=CPUS, typed=COMMANDS), watched
    assert alone.serial == booted.serial
    assert alone.computer.machine.now == booted.computer.machine.now
    assert alone.kernel.metrics.as_dict() == booted.kernel.metrics.as_dict()


def test_a_processor_runs_one_task_at_a_time(watched):
    booted, events = watched
    runs = collections.defaultdict(list)
    for event in of(events, "run"):
        assert event["pid"] == PROCESSORS
        runs[event["tid"]].append((event["ts"], event["dur"]))
    assert set(runs) == set(range(CPUS))
    for number, spans in runs.items():
        spans.sort()
        for (begin, length), (following, _) in itertools.pairwise(spans):
            assert begin + length <= following + 0.001
        busy_us = booted.kernel.metrics.cpus[number].busy_ns / 1000
        assert sum(length for _, length in spans) == pytest.approx(busy_us, rel=0.02)


def test_every_system_call_is_there(watched):
    booted, events = watched
    shown = collections.Counter(event["name"] for event in of(events, "syscall"))
    counted = {name: n for name, n in booted.kernel.metrics.syscall_count.items() if n}
    assert shown == counted
    sleeps = [e for e in of(events, "syscall") if e["args"].get("unfinished")]
    assert sleeps, "sleep 9 had not returned"


def test_messages_are_arrows_from_sender_to_receiver(watched):
    booted, events = watched
    begins, ends = of(events, "message", "s"), of(events, "message", "f")
    assert len(begins) == len(ends) == booted.kernel.metrics.ipc_recvs > 0
    for begin, end in zip(begins, ends, strict=True):
        assert begin["id"] == end["id"]
        assert begin["ts"] <= end["ts"]
        assert begin["pid"] != end["pid"], "ping and pong are two processes"


def test_who_changes_the_processor_is_an_arrow(watched):
    """It begins where and when the task ran last, and ends where it goes on."""
    booted, events = watched
    begins, ends = of(events, "migration", "s"), of(events, "migration", "f")
    assert begins
    ran = {(e["tid"], round(e["ts"] + e["dur"], 3)) for e in of(events, "run")}
    goes_on = {(e["tid"], round(e["ts"], 3)) for e in of(events, "run")}
    for begin, end in zip(begins, ends, strict=True):
        assert begin["id"] == end["id"]
        assert begin["tid"] != end["tid"]
        assert (begin["tid"], round(begin["ts"], 3)) in ran
        assert (end["tid"], round(end["ts"], 3)) in goes_on
    assert len(begins) <= booted.kernel.metrics.migrations


def test_interrupts_and_faults(watched):
    booted, events = watched
    interrupts = collections.Counter(e["args"]["vector"] for e in of(events, "interrupt", "i"))
    counts = collections.Counter()
    for (vector, _), count in booted.kernel.traps.counts.items():
        counts[vector] += count
    assert interrupts == counts
    null = [e for e in of(events, "fault", "i") if e["args"].get("address") == "0x0"]
    assert [e["name"] for e in null] == ["page_fault"]


def test_tasks_that_change_the_processor_are_arrows(watched):
    """Each goes from where the task ran last to where it runs next, and is counted."""
    booted, events = watched
    begins, ends = of(events, "migration", "s"), of(events, "migration", "f")
    assert 0 < len(begins) == len(ends) <= booted.kernel.metrics.migrations
    runs = {(event["tid"], event["ts"]): event["args"]["tid"] for event in of(events, "run")}
    for begin, end in zip(begins, ends, strict=True):
        assert begin["tid"] != end["tid"]
        assert begin["ts"] <= end["ts"]
        assert (end["tid"], end["ts"]) in runs


def test_counters_come_as_things_happen(watched):
    _, events = watched
    for name in ("runnable", "memory (KiB)"):
        shown = [event for event in events if event["ph"] == "C"]
        times = [event["ts"] for event in shown if event["name"].startswith(name)]
        assert len(times) > 10
        assert times == sorted(times)


def test_messages_by_pid_are_arrows_too():
    """MIC-09: messages of the microkernel go from task to task."""
    out = io.StringIO()
    booted = booting.boot(
        booting.image("microkernel"), append="swap=0", timeline=lambda m: Timeline(m, out)
    )
    booted.timeline.close()
    events = json.loads(out.getvalue())
    assert len(of(events, "message", "s")) == booted.kernel.metrics.ipc_recvs > 2000
    names = {event["name"] for event in of(events, "ipc", "i")}
    assert {"send to task 1", "receive from task 1"} <= names


def test_tracks_have_the_names_of_tasks(watched):
    _, events = watched
    processes = {e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert {"init", "sh", "ipcping", "spin", "processors", "kernel"} <= processes
    assert "?" not in processes
    names = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"CPU 0", "CPU 1", "sh", "ipcping", "spin"} <= names


def test_the_command_line(iso, tmp_path, capfd):
    image, out = tmp_path / "x.iso", tmp_path / "out.json"
    image.write_bytes(iso)
    main(["boot", str(image), "--serial", "null", "--timeout", "1", "--timeline", str(out)])
    assert of(json.loads(out.read_text()), "run")
    capfd.readouterr()
    main(["boot", str(image), "--timeline", str(tmp_path / "no" / "x")])
    assert "no/x: No such file or directory" in capfd.readouterr().err
