"""A machine with a past and a gdb that follows a script, below a keeper of their own."""

from __future__ import annotations

import pickle

from gdbstub import handover
from pykern.debug.history.history import History
from pykern.debug.history.outputs import Outputs
from pykern.debug.history.processes import keep
from pykern.debug.history.reversible_machine import ReversibleMachine
from pykern.debug.history.reversible_target import ReversibleTarget
from pykern_c.exits import ExitReason
from tests.pykern.debug.scripted import ScriptedGdb

GIB = 1 << 30


class TravellingGdb(ScriptedGdb):
    """A gdb whose script goes on in whichever process lives.

    A step of the script may be a function of (gdb, machine); what it returns is the next request.
    """

    def __init__(self, target, script, looks=10**9):
        self._target = self.target = target
        super().__init__(target, ())
        self.script = ["qSupported:swbreak+;hwbreak+", "QStartNoAckMode", *script]
        self.at, self.asleep, self.most_looks, self.looks = 0, False, looks, 0
        self.notes = []

    @property
    def connected(self):
        return not self.asleep and not self.session.closed

    def fileno(self):
        """A file that is never readable."""
        import os

        return os.pipe()[0]

    def poll(self, timeout=0):
        if self.asleep or timeout is not None:
            self.looks += 1
            if not self.asleep and self.looks > self.most_looks:
                self.looks = 0
                self.session.feed(b"\x03")
            return False
        request = self.script[self.at] if self.at < len(self.script) else "D"
        self.at += 1
        assert self.at < len(self.script) + 9, self.replies
        if callable(request):
            request = request(self, self._target.machine)
        if request is not None:
            from gdbstub.packet import frame

            self._take(self.session.feed(frame(request.encode())))
        return True

    def sleep(self):
        self.asleep = True

    def hand_over(self):
        state = {"at": self.at, "replies": self.replies, "notes": self.notes,
                 "session": handover.pack(self.session)}  # fmt: skip
        return state, None

    def take_over(self, state, _descriptor):
        self.asleep = False
        self.at, self.replies, self.notes = state["at"], state["replies"], state["notes"]
        self.session = handover.unpack(state["session"], self._target)


def run(make, script, tmp_path, until=600_000, slice_ns=50_000, resets=False, **options):
    """Run a machine until a virtual time while gdb follows a script.

    Returns
    -------
    Replies to gdb, notes of the script's functions, and the state hash at the end.
    """
    result = tmp_path / "result"

    def work(keeper):
        machine = make()
        target = ReversibleTarget(machine)
        gdb = TravellingGdb(target, script, **options)
        outputs = Outputs()
        target.history = History(keeper, target, gdb, outputs, GIB)
        reversible = ReversibleMachine(target, gdb, target.history, wait=True)
        while machine.now < until:
            ended = reversible.run(min(machine.now + slice_ns, until))
            if ended.reason is not ExitReason.BUDGET and not (resets and ended.what == "reset"):
                break
        found = gdb.replies, gdb.notes, machine.state_hash()
        result.write_bytes(pickle.dumps(found))
        return 7

    assert keep(work) == 7
    return pickle.loads(result.read_bytes())
