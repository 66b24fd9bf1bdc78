"""Copies of a program: one lives, the others sleep, and none is left behind."""

from __future__ import annotations

import itertools
import os
import select
import signal
from pathlib import Path

import pytest

from pykern.debug.history.channel import Channel, ChannelClosed
from pykern.debug.history.checkpoints import Checkpoint, Checkpoints, sleep
from pykern.debug.history.position import Position
from pykern.debug.history.processes import keep


def checkpoint(keeper, position=None, others=()):
    """Make one of this process; in a copy that has woken return (errand, channel)."""
    ours, theirs = Channel.pair()
    pid = keeper.fork()
    if pid:
        theirs.close()
        return Checkpoint(position, pid, ours)
    ours.close()
    for other in others:
        other.channel.close()
    return sleep(keeper, theirs)


@pytest.mark.parametrize("status", [0, 7])
def test_the_status_is_that_of_the_work(status):
    assert keep(lambda _keeper: status) == status


def test_an_exception_is_an_error_and_ends_nothing_else(capfd):
    def work(_keeper):
        raise ValueError("broken")

    assert keep(work) == 1
    assert "ValueError: broken" in capfd.readouterr().err


def test_a_signal_that_ends_the_work_is_told_as_the_shell_does():
    assert keep(lambda _keeper: os.kill(os.getpid(), signal.SIGKILL)) == 128 + signal.SIGKILL


def test_a_copy_takes_over():
    """The shell sees one process, and the status of the one that lived last."""

    def work(keeper):
        made = checkpoint(keeper)
        if isinstance(made, Checkpoint):
            channel = made.wake(41)
            answer, _ = channel.receive()
            assert answer == "here"
            channel.send("live")
            channel.receive()
            os._exit(3)
        errand, channel = made
        channel.send("here")
        assert channel.receive()[0] == "live"
        keeper.announce()
        channel.send("done")
        return errand + 1

    assert keep(work) == 42


def test_a_checkpoint_serves_any_number_of_times():
    def work(keeper):
        made = checkpoint(keeper)
        if isinstance(made, Checkpoint):
            answers = [made.wake(n).receive()[0] for n in range(5)]
            return sum(answers)
        errand, channel = made
        channel.send(errand * 2)
        os._exit(0)

    assert keep(work) == 20


def is_running(pid):
    """Tell whether there is such a process; one that has ended may wait to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids):
    """Tell whether processes end within a few seconds."""
    for _ in range(200):
        if not any(map(is_running, pids)):
            return True
        select.select([], [], [], 0.02)
    return False


@pytest.mark.parametrize("end", ["returns", "killed", "keeper killed"])
def test_nobody_is_left_behind(end):
    """Sleeping and working copies end with the one that lives, and that one with its keeper."""
    reader, writer = os.pipe()
    keeping = os.fork()
    if keeping == 0:

        def work(keeper):
            made = []
            for _ in range(4):
                new = checkpoint(keeper, others=made)
                if not isinstance(new, Checkpoint):
                    signal.pause()
                made.append(new)
            busy = made[0].wake("wait")
            pids = [os.getpid(), *(c.pid for c in made)]
            os.write(writer, repr(pids).encode())
            if end == "returns":
                return 0
            if end == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
            return busy.fileno()

        os._exit(keep(work))
    os.close(writer)
    pids = eval(os.read(reader, 1000).decode())
    os.close(reader)
    if end == "keeper killed":
        os.kill(keeping, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(keeping, 0)[1])
    assert status == {"returns": 0, "killed": 137, "keeper killed": -9}[end]
    assert gone(pids)


def test_ctrl_c_is_for_the_one_that_lives():
    """A terminal sends it to all of them."""

    def work(keeper):
        made = checkpoint(keeper)
        if not isinstance(made, Checkpoint):
            made[1].send("still here")
            os._exit(0)
        try:
            os.kill(made.pid, signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            select.select([], [], [], 5)
        except KeyboardInterrupt:
            assert made.wake("").receive()[0] == "still here"
            return 130
        return 1

    assert keep(work) == 130


def test_a_dropped_checkpoint_ends():
    def work(keeper):
        made = checkpoint(keeper)
        assert isinstance(made, Checkpoint)
        made.channel.close()
        return 0 if gone([made.pid]) else 1

    assert keep(work) == 0


def test_messages_carry_files_and_any_length():
    one, other = Channel.pair()
    reader, writer = os.pipe()
    one.send({"text": "x" * 100_000}, (writer,))
    message, files = other.receive()
    assert message == {"text": "x" * 100_000}
    os.write(files[0], b"through")
    assert os.read(reader, 10) == b"through"
    one.close()
    with pytest.raises(ChannelClosed):
        other.receive()
    for descriptor in (reader, writer, *files):
        os.close(descriptor)
    other.close()


def at(now):
    return Position((now,), now)


class Silent:
    """A channel nobody listens to."""

    def close(self):
        self.closed = True


def test_older_checkpoints_are_farther_apart():
    checkpoints = Checkpoints(1 << 40)
    made = [Checkpoint(at(n), 0, Silent()) for n in range(1000)]
    for one in made:
        checkpoints.add(one)
    times = [c.position.now for c in checkpoints]
    assert times[0] == 0
    assert times[-1] == 999
    assert len(times) <= 64
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[-1] <= 2
    assert sum(gaps[:5]) > sum(gaps[-5:])
    assert all(hasattr(c.channel, "closed") == (c.position.now not in times) for c in made)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(Checkpoint, "measure", lambda self: setattr(self, "size", 100))
    checkpoints = Checkpoints(1000)
    for n in range(64):
        checkpoints.add(Checkpoint(at(n), 0, Silent()))
    assert checkpoints.size <= 1800  # measured every few additions
    assert checkpoints.first.position.now == 0


def test_a_future_that_will_not_be_is_forgotten():
    checkpoints = Checkpoints(1 << 30)
    for n in range(10):
        checkpoints.add(Checkpoint(at(n), 0, Silent()))
    checkpoints.forget_after(at(4))
    assert [c.position.now for c in checkpoints] == [0, 1, 2, 3, 4]
    assert [c.position.now for c in checkpoints.before(at(3))] == [2, 1, 0]
