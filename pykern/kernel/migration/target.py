"""Take a process in that comes from another machine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.migration.checks import check_page
from pykern.kernel.migration.image import ProcessImage
from pykern.kernel.migration.remote_pages import RemotePages
from pykern.kernel.migration.restore import discard, restore, start
from pykern.kernel.migration.wire import BadMessage, LinkClosed, Type, Wire

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["Arrival", "receive"]


@dataclass
class Arrival:
    """A process that has arrived.

    Attributes
    ----------
    pages : that have come before it ran
    install_ns : virtual time from its state's arrival until it ran
    remote : where its pages still come from; None: they are all here
    """

    process: Process
    install_ns: int
    pages: int = 0
    remote: RemotePages | None = None


async def receive(system: System, wire: Wire) -> Arrival:
    """Wait for a process, and let it run here; pages that follow it are `serve`'s.

    Raises
    ------
    LinkClosed : the other side was gone before all had arrived; nothing is left of it here
    BadMessage : the other side has given up, or does not speak as it should; nothing is left
    SysError : it cannot be here, for want of memory or of a file; it goes on where it was
    """
    try:
        return await _receive(system, wire)
    except (SysError, BadMessage) as error:
        wire.abort(str(error))
        raise


async def _receive(system: System, wire: Wire) -> Arrival:
    pages: dict[int, bytes] = {}
    most = system.frames.statistics().total // PAGE_SIZE
    while (message := await wire.receive()).type is Type.PAGE:
        check_page(message.number)
        pages[message.number] = message.data
        if len(pages) > most:
            raise SysError(Errno.ENOMEM, f"more than {most} pages")
    if message.type is not Type.STATE:
        raise BadMessage(f"{message.type.name} came, expected STATE")
    began_ns, image = system.clock.now_ns, ProcessImage.decode(message.data)
    remote = None
    if message.number:
        remote = RemotePages(system.frames, system.machine, wire, image.resident)
    here = {laddr: pages[laddr] for laddr in image.resident if laddr in pages}
    if remote is None and len(here) < len(set(image.resident)):
        raise BadMessage(f"{len(here)} pages came, expected {len(set(image.resident))}")
    process = await restore(system, image, here, remote)
    try:
        await _agree(wire)
    except BadMessage:
        discard(system, process)
        raise
    start(system, process)
    return Arrival(process, system.clock.now_ns - began_ns, len(here), remote)


async def _agree(wire: Wire) -> None:
    """Say that all is here, and hear that it may run.

    A source that is gone by then has taken its own copy with it, so this one runs; one that has
    given up has said so before.

    Raises
    ------
    BadMessage : the source has given up
    """
    with contextlib.suppress(LinkClosed):
        wire.send(Type.READY)
    try:
        await wire.expect(Type.COMMIT)
    except LinkClosed:
        return
    with contextlib.suppress(LinkClosed):
        wire.send(Type.RUNNING)


async def serve(wire: Wire, remote: RemotePages) -> None:
    """Take the pages that follow a process, until all are here or the source is gone.

    The link is closed then; what has not come is lost, and who touches it gets SIGBUS.
    """
    try:
        while (message := await wire.receive()).type is Type.PAGE:
            remote.arrived(message.number, message.data)
    except (LinkClosed, BadMessage):
        return
    finally:
        remote.close()
        wire.close()
