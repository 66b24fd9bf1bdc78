"""A machine that executes what a file says, before anybody debugs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from gdbstub import Stop
from pykern.debug.execution import thread_of
from pykern.debug.history.channel import Channel
from pykern.debug.history.errands import Failed
from pykern.debug.history.landing import AtPosition
from pykern.debug.history.recording import RecordingError
from pykern.debug.history.work import Work

if TYPE_CHECKING:
    from pykern.debug.history.history import History
    from pykern.debug.history.recording import Recording


class Loading(Work):
    """The way from the beginning to the state that was saved; checkpoints are made on it.

    Parameters
    ----------
    history : of a machine that has not run yet
    recording : what is to be executed
    """

    records = True

    def __init__(self, history: History, recording: Recording) -> None:
        # Nobody waits at the other end.
        super().__init__(history, Channel.pair()[0])
        self._recording = recording
        self._sleeping, _ = history.listener.hand_over()
        history.listener.sleep()
        history.journal.entries = list(recording.entries)
        history.journal.end = recording.position
        history.replay.aim(AtPosition(self._machine, recording.position))

    def _look(self) -> None:
        """Go on: nobody can come while the doors are closed."""

    def _arrived(self) -> Stop:
        history, expected = self._history, self._recording.state
        found = history.origin.state_hash()
        if found != expected:
            written, this = self._recording.program, history.origin.program
            raise RecordingError(
                f"the run has come to another state, with the hash {found}, expected {expected}; "
                f"pykern {written} has saved it, this is {this}"
            )
        history.loaded()
        history.listener.take_over(self._sleeping, None)
        return Stop(thread_of(self._recording.position.vcpu or 0))

    def _answer(self, message: Any) -> NoReturn:
        why = message.why if isinstance(message, Failed) else str(message)
        raise RecordingError(f"the run does not come to the state that was saved: {why}")
