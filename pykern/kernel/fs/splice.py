"""Moving bytes from file to file inside the kernel: sendfile, copy_file_range, splice, tee.

What is read is given up only as far as it was written, so that nothing is lost where the target
takes less, or fails.

References
----------
Linux, sendfile(2), copy_file_range(2), splice(2), tee(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_NONBLOCK
from pykern.kernel.fs.pipe import PipeFile

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File

__all__ = ["copy", "splice", "tee"]

_CHUNK = 1 << 16


async def copy(
    source: File, target: File, count: int, *, at: int | None = None, to: int | None = None
) -> int:
    """Copy bytes of a file with places; return how many, 0 at its end.

    Parameters
    ----------
    at : where to read, the file stays where it stands; None: where it stands, and it moves on
    to : where to write; None: where that file stands

    Raises
    ------
    SysError, Interrupted : nothing was copied
    """
    done, start = 0, source.offset if at is None else at
    while done < count:
        buffer = BytesBuffer(size=min(count - done, _CHUNK))
        try:
            size = await source.pread(buffer, start + done)
            written = await _write(target, buffer.done, None if to is None else to + done)
        except (SysError, Interrupted):
            if not done:
                raise
            break
        done += written
        if at is None:
            source.offset = start + done
        if not size or written < size:
            break
    return done


async def _write(target: File, data: bytes, place: int | None) -> int:
    if not data:
        return 0
    src = BytesBuffer(data)
    return await (target.write(src) if place is None else target.pwrite(src, place))


async def splice(
    source: File,
    target: File,
    count: int,
    *,
    at: int | None,
    to: int | None,
    nonblock: bool,
) -> int:
    """Move bytes into a pipe or out of one; return how many, 0 at the end.

    Parameters
    ----------
    at, to : places in the one that is no pipe; None: where it stands
    nonblock : do not wait for the pipe

    Raises
    ------
    SysError(EINVAL) : neither is a pipe, or both are the same
    SysError(EAGAIN) : the pipe is not ready, and nobody is to wait for it
    """
    if isinstance(source, PipeFile):
        if isinstance(target, PipeFile) and target.pipe is source.pipe:
            raise SysError(Errno.EINVAL)
        return await _from_pipe(source, target, count, to, nonblock=nonblock)
    if not isinstance(target, PipeFile):
        raise SysError(Errno.EINVAL)
    return await _into_pipe(source, target, count, at, nonblock=nonblock)


async def _from_pipe(
    source: PipeFile, target: File, count: int, to: int | None, *, nonblock: bool
) -> int:
    with source, target:
        await source.wait_for_data(nonblock=nonblock)
        if isinstance(target, PipeFile):
            await target.wait_for_room(nonblock=nonblock)
            count = min(count, target.pipe.room)
        data = bytes(source.pipe.data[:count])
        written = await _write(target, data, to)
        source.pipe.take(written)
    return written


async def _into_pipe(
    source: File, target: PipeFile, count: int, at: int | None, *, nonblock: bool
) -> int:
    with source, target:
        await target.wait_for_room(nonblock=nonblock)
        buffer = BytesBuffer(size=min(count, target.pipe.room))
        if at is not None:
            await source.pread(buffer, at)
        else:
            await source.read(buffer)
        if buffer.done:
            target.pipe.put(buffer.done)
    return len(buffer.done)


async def tee(source: File, target: File, count: int, *, nonblock: bool) -> int:
    """Copy bytes from pipe to pipe, and leave them in the first one; return how many.

    Raises
    ------
    SysError(EINVAL) : one is no pipe, or both are the same
    """
    if not isinstance(source, PipeFile) or not isinstance(target, PipeFile):
        raise SysError(Errno.EINVAL)
    if source.pipe is target.pipe:
        raise SysError(Errno.EINVAL)
    with source, target:
        await source.wait_for_data(nonblock=nonblock or bool(source.flags & O_NONBLOCK))
        await target.wait_for_room(nonblock=nonblock or bool(target.flags & O_NONBLOCK))
        data = bytes(source.pipe.data[: min(count, target.pipe.room)])
        if data:
            target.pipe.put(data)
    return len(data)
