"""What is counted, and how it is shown (MEL-16)."""

from __future__ import annotations

import json

import pytest

from pykern.kernel.sched.metrics import Metrics

MELLO = (
    "ctx_switches",
    "preemptions",
    "ipc_sends",
    "ipc_recvs",
    "ipc_queue_full",
    "sleep_count",
    "wake_count",
    "timer_ticks",
)


@pytest.fixture
def metrics() -> Metrics:
    counted = Metrics()
    counted.declare_syscalls(["SYS_WRITE", "SYS_EXIT", "SYS_SLEEP", "SYS_IPC_SEND", "SYS_IPC_RECV"])
    counted.add_cpus(2)
    return counted


def test_all_of_mello_is_there_from_the_start(metrics):
    """MEL-16: the fields of the structure, and a count per system call in their order."""
    shown = metrics.as_dict()
    assert all(shown[name] == 0 for name in MELLO)
    assert list(shown["syscall_count"].values()) == [0] * 5


def test_system_calls_are_counted_by_name(metrics):
    for name in ("SYS_WRITE", "SYS_WRITE", "read"):
        metrics.count_syscall(name)
    assert list(metrics.syscall_count.items()) == [
        ("SYS_WRITE", 2),
        ("SYS_EXIT", 0),
        ("SYS_SLEEP", 0),
        ("SYS_IPC_SEND", 0),
        ("SYS_IPC_RECV", 0),
        ("read", 1),
    ]


def test_json_and_text_say_the_same(metrics):
    metrics.ctx_switches = 7
    metrics.cpus[1].busy_ns = 12
    metrics.count_syscall("SYS_EXIT")
    assert json.loads(metrics.json()) == metrics.as_dict()
    text = dict(line.rsplit(" ", 1) for line in metrics.text().splitlines())
    assert text["ctx_switches"] == "7"
    assert text["syscall_count[SYS_EXIT]"] == "1"
    assert text["cpu1.busy_ns"] == "12"
    flat = 0
    for value in metrics.as_dict().values():
        flat += sum(map(len, value)) if value and isinstance(value, list) else 0
        flat += len(value) if isinstance(value, dict) else not isinstance(value, list)
    assert len(text) == flat


def test_a_copy_does_not_change(metrics):
    before = metrics.as_dict()
    metrics.count_syscall("SYS_WRITE")
    metrics.cpus[0].idle_ns = 5
    assert before["syscall_count"]["SYS_WRITE"] == 0
    assert before["cpus"][0]["idle_ns"] == 0


def test_cpus_are_added_once(metrics):
    first = metrics.cpus[0]
    assert len(metrics.add_cpus(4)) == 4
    assert metrics.cpus[0] is first
    assert metrics.add_cpus(2) == metrics.cpus[:2]
