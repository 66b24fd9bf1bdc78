"""The doors to one machine, each with its own view; whoever comes first has the machine.

A machine can be debugged by one gdb at a time: what one lets run, another could not hold. Who comes
to another door meanwhile is hung up on.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from gdbstub import Listener, TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gdbstub import Address, Exited, Session, Stop, ThreadExited
    from pykern.debug.machine_target import MachineTarget
    from pykern.debug.os_view.os_target import OsTarget

    View = MachineTarget | OsTarget


class Door:
    """A place to come in, and what is seen from there.

    Parameters
    ----------
    address : where
    target : the machine as it is seen

    Attributes
    ----------
    coming : as the next gdb will see it
    """

    def __init__(self, address: Address, target: View) -> None:
        self.target = self.coming = target
        self.listener = Listener(address, target, self._entered)

    def _entered(self) -> None:
        self.target = self.listener.target = self.coming
        self.target.halt()

    def change_view(self) -> None:
        """Have the machine wait for the gdb that is to see it otherwise, if one is announced."""
        if self.coming is not self.target and not self.listener.connected:
            self.target = self.coming
            self.target.stopped = True


class Doorways:
    """Doors, of which one is in use; they take the place of a `Listener`.

    Parameters
    ----------
    doors : at least one
    views : the machine, as it may be seen, by name
    """

    def __init__(self, doors: Sequence[Door], views: Mapping[str, View]) -> None:
        self._doors = list(doors)
        self._used = self._doors[0]
        self._views = views
        self._asleep = False
        for target in views.values():
            target.next_view = self.next_view

    @property
    def target(self) -> View:
        """Return the machine as the gdb sees it that is there, or was last."""
        return self._used.target

    @property
    def connected(self) -> bool:
        """Whether there is a gdb."""
        return self._used.listener.connected

    def poll(self, timeout: float | None = 0) -> bool:
        """Serve what has arrived, as `Listener.poll`."""
        if self._asleep:
            return False
        if self.connected:
            others = [door.listener for door in self._doors if door is not self._used]
            happened = self._used.listener.poll(timeout, others)
            self._used.change_view()
            return happened
        listeners = [door.listener for door in self._doors]
        readable, _, _ = select.select(listeners, [], [], timeout)
        for door in self._doors:
            if door.listener in readable:
                self._enter(door)
                return True
        return False

    def _enter(self, door: Door) -> None:
        before = self._used.target
        door.listener.poll()
        if not door.listener.connected:
            return
        self._used = door
        if door.target is not before:
            before.stopped = False

    def report_stop(self, reason: Stop | Exited | ThreadExited) -> None:
        """Tell gdb that the machine has stopped."""
        self._used.listener.report_stop(reason)

    def print(self, text: str) -> None:
        """Show text on gdb's console."""
        self._used.listener.print(text)

    # -- for a process that is copied

    @property
    def session(self) -> Session | None:
        """Return the conversation there is."""
        return self._used.listener.session

    def fileno(self) -> int:
        """Return the descriptor of the door in use."""
        return self._used.listener.fileno()

    def sleep(self) -> None:
        """Let the original talk to gdb, and hear nothing here until `take_over`."""
        self._asleep = True
        for door in self._doors:
            door.listener.sleep()

    def hand_over(self) -> tuple[dict[str, Any], int | None]:
        """Return what another copy needs to go on with the conversation, and its descriptor."""
        names = {id(target): name for name, target in self._views.items()}
        state, descriptor = self._used.listener.hand_over()
        seen = [(names[id(door.target)], names[id(door.coming)]) for door in self._doors]
        return {"used": self._doors.index(self._used), "seen": seen, "door": state}, descriptor

    def take_over(self, state: dict[str, Any], descriptor: int | None) -> None:
        """Go on with a conversation, or listen if there is none."""
        self._asleep = False
        for door, (target, coming) in zip(self._doors, state["seen"], strict=True):
            door.target = door.listener.target = self._views[target]
            door.coming = self._views[coming]
            door.listener.take_over({}, None)
        self._used = self._doors[state["used"]]
        self._used.listener.take_over(state["door"], descriptor)

    def next_view(self, name: str) -> None:
        """Show the machine otherwise to the next gdb that comes to the door in use.

        Raises
        ------
        TargetError : there is no such view
        """
        if name not in self._views:
            raise TargetError(f"no view {name!r}, expected one of {', '.join(self._views)}")
        self._used.coming = self._views[name]
