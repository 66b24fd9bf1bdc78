"""mount: which file system is to be seen where, by name and flags.

References
----------
Linux mount(2), umount2(2).
"""

from __future__ import annotations

from stat import S_ISBLK
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.registry import UnknownNameError
from pykern.kernel.fs.flags import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.types import types, volume_types

if TYPE_CHECKING:
    from pykern.kernel.fs.block import BlockDevice
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.inode import FileSystem
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.types.registry import VolumeType

__all__ = ["attach", "detach", "parse_options"]

MS_REMOUNT, MS_BIND, MS_MOVE = 32, 4096, 8192
KEPT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW = 1, 2, 4, 8


def attach(
    ctx: FsContext, source: bytes, at: Location, type_name: str, flags: int, options: str
) -> None:
    """Mount, or change what is mounted.

    Parameters
    ----------
    source : shown in /proc/mounts; the directory itself with MS_BIND
    flags : `MS_*`
    options : of the type, such as `size=1m,mode=700`

    Raises
    ------
    SysError(EPERM) : the caller is not uid 0
    SysError(ENODEV) : no such type
    SysError(ENOTBLK) : `source` of a volume is neither a file nor a block device
    NotResident : what is on the device has to be read first
    SysError(EINVAL) : a wrong option, or to remount what is no mount
    SysError(EBUSY, ENOTDIR) : as `Mounts.mount`
    """
    if ctx.uid != 0:
        raise SysError(Errno.EPERM)
    if flags & MS_REMOUNT:
        if not at.inode.same(at.mount.root):
            raise SysError(Errno.EINVAL)
        at.mount.flags = flags & KEPT
    elif flags & MS_BIND:
        ctx.mounts.bind(at, walk(ctx, source))
    elif flags & MS_MOVE:
        raise SysError(Errno.EINVAL)
    else:
        fs = _new(ctx, source, type_name, parse_options(options))
        ctx.mounts.mount(at, fs, source=source or b"none", flags=flags & KEPT)


def _new(ctx: FsContext, source: bytes, type_name: str, options: dict[str, str]) -> FileSystem:
    """Return an instance of a type; a type of volume reads it from a file."""
    if type_name in volume_types:
        content, make_volume = walk(ctx, source).inode, volume_types.get(type_name)
        if S_ISBLK(content.mode):
            return _on_device(ctx, ctx.vfs.devices.volume(content.rdev), make_volume, options)
        if not content.is_regular():
            raise SysError(Errno.ENOTBLK)
        fs = make_volume(content, options, ctx.vfs)
        content.users += 1  # as a loop device has it open: it stays as long as the kernel
        return fs
    try:
        make = types.get(type_name)
    except UnknownNameError as error:
        raise SysError(Errno.ENODEV) from error
    return make(source, options, ctx.vfs)


def _on_device(
    ctx: FsContext, device: BlockDevice, make: VolumeType, options: dict[str, str]
) -> FileSystem:
    """Return what a device holds: the same for all who mount it."""
    if device.fs is None:
        fs = make(device, options, ctx.vfs)
        fs.device, device.fs = device, fs
    return device.fs


def detach(ctx: FsContext, path: bytes, flags: int) -> FileSystem:
    """Unmount; return what was mounted, for it to be written back.

    Raises
    ------
    SysError(EPERM) : the caller is not uid 0
    SysError(EINVAL) : unknown flags, or no mount
    SysError(EBUSY) : it is in use, and MNT_DETACH is not set
    """
    if ctx.uid != 0:
        raise SysError(Errno.EPERM)
    if flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW):
        raise SysError(Errno.EINVAL)
    at = walk(ctx, path, follow=not flags & UMOUNT_NOFOLLOW)
    ctx.mounts.umount(at, lazy=bool(flags & MNT_DETACH))
    fs = at.mount.fs
    if fs.device is not None and not at.mount.users and all(m.fs is not fs for m in ctx.mounts):
        fs.device.fs = None
    return fs


def parse_options(text: str) -> dict[str, str]:
    """Return `a=1,b` as a dictionary."""
    words = (word.partition("=") for word in text.split(",") if word)
    return {name: value for name, _, value in words}
