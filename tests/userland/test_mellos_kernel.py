"""The demos of the MelloOS profile, on a stand-in for its kernel."""

import pytest

pytest.importorskip("unicorn")

from tests.userland.mellos_kernel import Kernel


@pytest.fixture
def run(programs):
    def run_programs(*names, ticks=1000):
        kernel = Kernel()
        kernel.run(*(programs[f"mellos/{name}"] for name in names), ticks=ticks)
        return kernel

    return run_programs


def test_init_says_hello_and_stays(run):
    """MEL-15, MEL-42 test 7.6."""
    kernel = run("init", ticks=250)
    assert kernel.serial.decode() == "[USERLAND] Hello from userland! ✨\n"
    assert kernel.programs[0].status is None


def test_every_call_does_and_refuses_what_it_must(run):
    """MEL-12, MEL-13."""
    kernel = run("calls")
    assert "FAIL" not in kernel.serial.decode()
    assert kernel.serial.decode().endswith("calls: 0 failures\n")
    assert kernel.programs[0].status == 0


def test_calls_notices_a_kernel_that_is_wrong(run, monkeypatch):
    monkeypatch.setattr("tests.userland.mellos_kernel.QUEUE_LENGTH", 17)
    kernel = run("calls")
    assert "FAIL a queue takes 16 messages and no more\n" in kernel.serial.decode()
    assert kernel.programs[0].status == 1


def test_sender_and_receiver(run):
    """MEL-37: a ping every 100 ticks, by way of `pong` from port 2 to port 1."""
    kernel = run("sender", "pong", "receiver", ticks=301)
    assert kernel.serial == b"received: ping\n" * 4


def test_a_sender_without_receiver_fills_the_queue(run):
    """MEL-13: sending never waits."""
    kernel = run("sender", ticks=1650)
    assert kernel.serial == b"sender: the queue is full\n"


def test_a_hundred_round_trips(run):
    """MEL-42 test 7.5."""
    kernel = run("ping", "pong")
    assert kernel.serial == b"ping: 100 round trips\n"
    assert [program.status for program in kernel.programs] == [0, None]


def test_write_and_sleep(run):
    """MEL-42 tests 7.2 and 7.3."""
    kernel = run("sleeper")
    rounds = "".join(f"sleeper: round {n}\n" for n in range(1, 6))
    assert kernel.serial.decode() == f"{rounds}sleeper: awake\n"
    assert kernel.ticks == 50


def test_spin_ends(run):
    assert run("spin").serial.decode().endswith("spin: round 10\n")


def test_a_fault_is_not_survived(run):
    """MEL-48."""
    kernel = run("fault")
    assert kernel.serial == b"fault: reading kernel memory\n"
    assert "UC_ERR_READ" in kernel.programs[0].fault
