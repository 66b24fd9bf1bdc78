"""From a path to a place.

References
----------
POSIX.1-2024, Pathname Resolution; Linux path_resolution(7).
"""

from __future__ import annotations

from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import (
    NAME_MAX,
    PATH_MAX,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    SYMLINKS_MAX,
    X_OK,
)
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.inode import Inode

__all__ = ["LastName", "Walk", "lookup", "path_of", "step", "walk", "walk_parent"]


class LastName(NamedTuple):
    """The last name of a path, and where it is to be looked up.

    Attributes
    ----------
    name : empty for `/`
    slash : whether slashes follow, so that only a directory will do
    """

    parent: Location
    name: bytes
    slash: bool

    @property
    def ordinary(self) -> bool:
        """Whether it is a name and not `/`, `.` or `..`."""
        return self.name not in {b"", b".", b".."}


def walk(
    ctx: FsContext, path: bytes, start: Location | None = None, *, follow: bool = True
) -> Location:
    """Return the place a path leads to.

    Parameters
    ----------
    start : where a relative path starts; the working directory unless given
    follow : whether a symbolic link as the last name is followed

    Raises
    ------
    SysError(ENOENT) : a name is missing, or the path is empty
    SysError(ENOTDIR) : a name in the middle is no directory
    SysError(EACCES) : a directory may not be searched
    SysError(ELOOP) : more than 40 symbolic links
    SysError(ENAMETOOLONG) : a name over 255 bytes, a path over 4095
    """
    return Walk(ctx).to(path, start or ctx.cwd, follow=follow)


def walk_parent(ctx: FsContext, path: bytes, start: Location | None = None) -> LastName:
    """Return the last name of a path and the directory for it; the name need not exist.

    Raises
    ------
    SysError : as `walk`, for all names but the last
    """
    return Walk(ctx).to_parent(path, start or ctx.cwd)


def step(ctx: FsContext, here: Location, name: bytes) -> Location:
    """Return what one name leads to, across mounts, and follow no link.

    Raises
    ------
    SysError(ENOENT, ENOTDIR, EACCES, ENAMETOOLONG)
    """
    inode = here.inode
    if not S_ISDIR(inode.mode):
        raise SysError(Errno.ENOTDIR)
    # uid 0 may search every directory; asking costs as much as the rest.
    if ctx.uid:
        ctx.require(inode, X_OK)
    if name == b".":
        return here
    if name == b"..":
        there = here if here.same(ctx.root) else ctx.mounts.up(here)
        if ctx.resolve & RESOLVE_BENEATH and there is here:
            raise SysError(Errno.EXDEV)
    else:
        there = ctx.mounts.down(Location(here.mount, lookup(inode, name)))
    if ctx.resolve & RESOLVE_NO_XDEV and there.mount is not here.mount:
        raise SysError(Errno.EXDEV)
    return there


def lookup(directory: Inode, name: bytes) -> Inode:
    """Return what an ordinary name leads to in one file system.

    Raises
    ------
    SysError(ENOENT) : no such name
    SysError(ENAMETOOLONG) : over 255 bytes
    """
    if len(name) > NAME_MAX:
        raise SysError(Errno.ENAMETOOLONG)
    return directory.lookup(name)


class Walk:
    """One resolution: it counts the symbolic links that were followed."""

    def __init__(self, ctx: FsContext) -> None:
        self._ctx = ctx
        self._links = 0

    def to(self, path: bytes, start: Location, *, follow: bool) -> Location:
        """Return the place, as `walk`."""
        here = self._start(path, start)
        todo = _names(path)
        while todo:
            name = todo.pop()
            there = step(self._ctx, here, name)
            if not S_ISLNK(there.inode.mode) or not (todo or follow):
                here = there
            elif (magic := self.enter_link(there)) is not None:
                here = magic
            else:
                target = there.inode.readlink()
                here = self._start(target, here)
                todo += _names(target)
        return here

    def to_parent(self, path: bytes, start: Location) -> LastName:
        """Return the last name, as `walk_parent`."""
        here = self._start(path, start)
        stripped = path.rstrip(b"/")
        directory, _, name = stripped.rpartition(b"/")
        if directory.strip(b"/"):
            here = self.to(directory, here, follow=True)
        if not here.inode.is_directory():
            raise SysError(Errno.ENOTDIR)
        self._ctx.require(here.inode, X_OK)
        return LastName(here, name, len(stripped) < len(path))

    def enter_link(self, link: Location) -> Location | None:
        """Count a symbolic link; return where it leads if it is a magic one.

        Raises
        ------
        SysError(ELOOP) : it is one too many, or none is to be followed
        SysError(EXDEV) : it leads out of bounds (openat2)
        """
        self._links += 1
        if self._links > SYMLINKS_MAX:
            raise SysError(Errno.ELOOP)
        there = link.inode.follow()
        bounds = self._ctx.resolve
        if bounds & RESOLVE_NO_SYMLINKS or (there and bounds & RESOLVE_NO_MAGICLINKS):
            raise SysError(Errno.ELOOP)
        if there and bounds & (RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_NO_XDEV):
            raise SysError(Errno.EXDEV)
        if not there and bounds & RESOLVE_NO_XDEV and link.inode.readlink().startswith(b"/"):
            raise SysError(Errno.EXDEV)  # as Linux, on whichever mount the root is
        return there

    def _start(self, path: bytes, start: Location) -> Location:
        if not path:
            raise SysError(Errno.ENOENT)
        if len(path) >= PATH_MAX:
            raise SysError(Errno.ENAMETOOLONG)
        if not path.startswith(b"/"):
            return start
        if self._ctx.resolve & RESOLVE_BENEATH:
            raise SysError(Errno.EXDEV)
        return self._ctx.root


def _names(path: bytes) -> list[bytes]:
    """Return the names, the first one last; slashes at the end count as `.`."""
    names = [name for name in path.split(b"/") if name]
    if path.endswith(b"/"):
        names.append(b".")
    names.reverse()
    return names


def path_of(ctx: FsContext, place: Location) -> bytes:
    """Return the absolute path of a directory, as seen from the root of `ctx`.

    Raises
    ------
    SysError(ENOENT) : it has been removed
    """
    names: list[bytes] = []
    while not place.same(ctx.root):
        if place.inode.nlink == 0:
            raise SysError(Errno.ENOENT)
        while place.inode.same(place.mount.root) and place.mount.mountpoint is not None:
            place = place.mount.mountpoint
        parent = Location(place.mount, place.inode.parent)
        if parent.inode.same(place.inode):
            break
        names.append(_name_in(parent, place))
        place = ctx.mounts.down(parent)
    return b"/" + b"/".join(reversed(names))


def _name_in(parent: Location, child: Location) -> bytes:
    for entry in parent.inode.entries():
        if entry.ino == child.inode.ino:
            return entry.name
    raise SysError(Errno.ENOENT)
