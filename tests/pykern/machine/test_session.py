"""The run loop, with a machine that follows a script of exits and a console that is a list."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.exit_status import ExitStatus
from pykern.machine.session import SLICE_NS, Session
from pykern_c.exits import Exit, ExitReason


def exit_(reason, code=0, what=""):
    return Exit(ExitReason[reason], 0, code, what)


BUDGET = exit_("BUDGET")


class Machine:
    """Runs to the time asked for, unless the script has an exit for this slice."""

    def __init__(self, script=(), *, flags=0x202, busy=True, deadline=None):
        self.script = list(script)
        self.events = SimpleNamespace(now=0, deadline=deadline)
        self.apics = SimpleNamespace(next_deadline=None)
        self.registers = {"rflags": flags, "rip": 0x1234}
        self.vcpus = (self,)
        self.busy = busy
        self.retired = 0
        self.ends = []

    def read_register(self, name):
        return self.registers.get(name, 0)

    def run(self, until_ns=None):
        self.ends.append(until_ns)
        self.retired += self.busy
        self.events.now = until_ns
        return self.script.pop(0) if self.script else BUDGET


class Console:
    def __init__(self, inputs=(), waits=()):
        self.inputs, self.waits, self.waited = list(inputs), list(waits), []

    def read(self):
        return self.inputs.pop(0) if self.inputs else b""

    def wait(self, seconds):
        self.waited.append(seconds)
        return self.waits.pop(0) if self.waits else False


def session(machine, console=None, **options):
    sent, starts = [], []
    made = Session(
        machine, lambda: starts.append(machine.events.now), sent.append, console or Console(),
        **options,
    )  # fmt: skip
    return made, sent, starts


@pytest.mark.parametrize(
    ("stop", "status"),
    [
        (exit_("STOPPED", 0, "power-off"), 0),
        (exit_("STOPPED", 33, "debug-exit"), 33),
        (exit_("STOPPED", 0x1FF, "debug-exit"), 255),
        (exit_("STOPPED", 0, "panic"), ExitStatus.PANIC),
        (exit_("SHUTDOWN"), ExitStatus.TRIPLE_FAULT),
    ],
)
def test_exit_status(stop, status):
    assert session(Machine([BUDGET, stop]))[0].run().status == status


def test_time_out_is_exact_and_says_where():
    machine = Machine()
    outcome = session(machine, timeout_ns=25_000_000)[0].run()
    assert outcome.status == ExitStatus.VIRTUAL_TIMEOUT
    assert machine.ends == [SLICE_NS, 2 * SLICE_NS, 25_000_000]
    assert "0.025 s" in outcome.lines[0]
    assert "1234" in outcome.lines[1]


def test_reset_boots_again_or_ends():
    reset = exit_("STOPPED", 0, "reset")
    made, _, starts = session(Machine([reset, exit_("STOPPED", 0, "power-off")]))
    assert made.run().status == 0
    assert starts == [0, SLICE_NS]
    assert session(Machine([reset]), reboot=False)[0].run().status == ExitStatus.RESET


def test_halted_with_interrupts_off_is_a_deadlock():
    """Even though a timer still ticks."""
    outcome = session(Machine(flags=2, busy=False, deadline=10**12))[0].run()
    assert outcome.status == ExitStatus.DEADLOCK
    assert "interrupts off" in outcome.lines[1]


def test_halted_with_a_timer_running_goes_on():
    machine = Machine(busy=False, deadline=10**12)
    assert session(machine, timeout_ns=10**9)[0].run().status == ExitStatus.VIRTUAL_TIMEOUT


def test_halted_without_a_timer_waits_for_input():
    console = Console(inputs=[b"", b"key"], waits=[True])
    machine = Machine([BUDGET, exit_("STOPPED", 0, "power-off")], busy=False)
    made, sent, _ = session(machine, console)
    assert made.run().status == 0
    assert console.waited == [None]
    assert sent == [b"key"]
    assert made.inputs == [(SLICE_NS, b"key")]


def test_halted_without_a_timer_and_without_input_is_a_deadlock():
    assert session(Machine(busy=False))[0].run().status == ExitStatus.DEADLOCK


@pytest.mark.parametrize(
    ("needs_input", "status"), [(True, ExitStatus.DEADLOCK), (False, ExitStatus.POWER_OFF)]
)
def test_a_timer_that_nobody_listens_to_wakes_nobody(needs_input, status):
    machine = Machine([BUDGET, BUDGET, exit_("STOPPED", 0, "power-off")], busy=False, deadline=99)
    made, _, _ = session(machine, needs_input=lambda: needs_input)
    outcome = made.run()
    assert outcome.status == status
    assert ("input has ended" in "".join(outcome.lines)) is needs_input


def test_input_is_stamped_with_virtual_time():
    console = Console(inputs=[b"a", b"", b"bc"])
    made, sent, _ = session(Machine(), console, timeout_ns=4 * SLICE_NS)
    made.run()
    assert sent == [b"a", b"bc"]
    assert made.inputs == [(0, b"a"), (2 * SLICE_NS, b"bc")]


def test_checkpoints_are_at_their_multiples():
    seen = []
    made, _, _ = session(
        Machine(), timeout_ns=35_000_000, checkpoint=seen.append, checkpoint_ns=8_000_000
    )
    made.run()
    assert seen == [8_000_000, 16_000_000, 24_000_000, 32_000_000]


def test_pacing_waits_for_the_lead():
    console = Console()
    pacer = SimpleNamespace(lead=lambda now: now / 1e9)
    session(Machine(), console, pacer=pacer, timeout_ns=2 * SLICE_NS)[0].run()
    assert console.waited == [0.01]
