r"""A process in a file: what another machine would be told of it, with a first line and a digest.

::

    b"pykern checkpoint 1\n"
    PAGE messages, a STATE message (`wire`)
    SHA-256 of all that
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pykern.kernel.core.wait import sleep_until
from pykern.kernel.migration.checks import check_page
from pykern.kernel.migration.image import ProcessImage, capture, pages_of
from pykern.kernel.migration.restore import restore, start
from pykern.kernel.migration.source import Report, end, stand_still
from pykern.kernel.migration.wire import BadMessage, Type, pack, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["checkpoint", "decode", "encode", "restart"]

_MAGIC = b"pykern checkpoint 1\n"
_NS_PER_BYTE = 1
"""Virtual time that writing takes."""
_DIGEST_SIZE = hashlib.sha256().digest_size


def encode(image: ProcessImage, pages: Mapping[int, bytes]) -> bytes:
    """Return the file of a process."""
    messages = [pack(Type.PAGE, laddr, data) for laddr, data in pages.items()]
    data = b"".join([_MAGIC, *messages, pack(Type.STATE, 0, image.encode())])
    return data + hashlib.sha256(data).digest()


def decode(data: bytes) -> tuple[ProcessImage, dict[int, bytes]]:
    """Return what a file holds.

    Raises
    ------
    BadMessage : it is not such a file, or not all of it; says what was found
    """
    if not data.startswith(_MAGIC):
        raise BadMessage(f"no checkpoint: it begins with {data[: len(_MAGIC)]!r}")
    body = data[:-_DIGEST_SIZE]
    if hashlib.sha256(body).digest() != data[-_DIGEST_SIZE:]:
        raise BadMessage(f"a checkpoint of {len(data)} bytes that was changed, or is not whole")
    pages: dict[int, bytes] = {}
    at = len(_MAGIC)
    while (found := parse(body, at)) is not None:
        message, at = found
        if message.type is Type.STATE:
            return _whole(ProcessImage.decode(message.data), pages)
        if message.type is not Type.PAGE:
            raise BadMessage(f"{message.type.name} in a checkpoint, expected PAGE or STATE")
        check_page(message.number)
        pages[message.number] = message.data
    raise BadMessage(f"a checkpoint of {len(data)} bytes without a state")


def _whole(image: ProcessImage, pages: dict[int, bytes]) -> tuple[ProcessImage, dict[int, bytes]]:
    missing = [laddr for laddr in image.resident if laddr not in pages]
    if missing:
        raise BadMessage(f"a checkpoint without page {missing[0]:#x}, which its state names")
    return image, pages


async def checkpoint(
    system: System, process: Process, write: Callable[[bytes], None], *, leave_running: bool
) -> Report:
    """Write a process to a file, and end it; or let it go on.

    Parameters
    ----------
    write : is given the whole file at once; when it returns, that is safe

    Raises
    ------
    SysError : as `capture` and `stand_still`; the process goes on
    OSError : as `write` has it; the process goes on
    """
    await stand_still(system, process)
    began_ns, report = system.clock.now_ns, Report()
    try:
        pages = dict(pages_of(process.space))
        data = encode(capture(system, process), pages)
        write(data)
        await sleep_until(began_ns + len(data) * _NS_PER_BYTE)
    except BaseException:
        system.signals.thaw(process)
        raise
    report.pages, report.bytes = len(pages), len(data)
    report.frozen_ns = report.downtime_ns = system.clock.now_ns - began_ns
    if leave_running:
        system.signals.thaw(process)
    else:
        end(system, process)
    return report


async def restart(system: System, data: bytes) -> Process:
    """Let the process of a file run here.

    Raises
    ------
    BadMessage, SysError : as `decode` and `restore`; nothing is left of it
    """
    image, pages = decode(data)
    process = await restore(system, image, pages)
    start(system, process)
    return process
