"""Take a process in that comes from another machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.migration.image import ProcessImage, restore, start
from pykern.kernel.migration.remote_pages import RemotePages
from pykern.kernel.migration.wire import LinkClosed, Type, Wire

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["Arrival", "receive"]


@dataclass
class Arrival:
    """A process that has arrived.

    Attributes
    ----------
    install_ns : virtual time from its state's arrival until it ran
    remote : where its pages still come from; None: they are all here
    """

    process: Process
    install_ns: int
    remote: RemotePages | None = None


async def receive(system: System, wire: Wire) -> Arrival:
    """Wait for a process, and let it run here; pages that follow it are `serve`'s.

    Raises
    ------
    LinkClosed : the other side was gone before all had arrived; nothing is left of it here
    SysError : it cannot be here, for want of memory or of a file; it goes on where it was
    """
    pages: dict[int, bytes] = {}
    while (message := await wire.receive()).type is Type.PAGE:
        pages[message.number] = message.data
    if message.type is not Type.STATE:
        raise LinkClosed(f"{message.type.name} came, expected STATE")
    began_ns, image = system.clock.now_ns, ProcessImage.decode(message.data)
    remote = None
    if message.number:
        remote = RemotePages(system.frames, system.machine, wire, image.resident)
    here = {laddr: pages[laddr] for laddr in image.resident if laddr in pages}
    try:
        process = await restore(system, image, here, remote)
    except SysError:
        wire.close()  # it goes on where it is
        raise
    await _agree(wire)
    start(system, process)
    return Arrival(process, system.clock.now_ns - began_ns, remote)


async def _agree(wire: Wire) -> None:
    """Say that all is here, and hear that it may run.

    A source that is gone by then has taken its own copy with it, so this one runs.
    """
    try:
        wire.send(Type.READY)
        await wire.expect(Type.COMMIT)
        wire.send(Type.RUNNING)
    except LinkClosed:
        return


async def serve(wire: Wire, remote: RemotePages) -> None:
    """Take the pages that follow a process, until all are here or the source is gone."""
    try:
        while (message := await wire.receive()).type is Type.PAGE:
            remote.arrived(message.number, message.data)
    except LinkClosed:
        pass
    remote.close()
