"""Who a process is: users, groups, capabilities."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Id, Int, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.task.credentials import ALL_CAPABILITIES

if TYPE_CHECKING:
    from pykern.kernel.task.credentials import Ids
    from pykern.kernel.task.thread import UserThread

_GROUPS_MOST = 65536
_CAPABILITY_VERSIONS = {0x1998_0330: 1, 0x2007_1026: 2, 0x2008_0522: 2}
"""Version of the interface → words of 32 capabilities."""
_CAPABILITY_VERSION = 0x2008_0522


@syscall
def getuid(thread: UserThread) -> int:
    """Return the user."""
    return thread.process.credentials.user.real


@syscall
def geteuid(thread: UserThread) -> int:
    """Return the effective user."""
    return thread.process.credentials.user.effective


@syscall
def getgid(thread: UserThread) -> int:
    """Return the group."""
    return thread.process.credentials.group.real


@syscall
def getegid(thread: UserThread) -> int:
    """Return the effective group."""
    return thread.process.credentials.group.effective


@syscall
def setuid(thread: UserThread, uid: Id) -> int:
    """Become another user."""
    process, who = thread.process, thread.process.credentials
    who.user.become(uid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def setgid(thread: UserThread, gid: Id) -> int:
    """Take another group."""
    process, who = thread.process, thread.process.credentials
    who.group.become(gid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def setreuid(thread: UserThread, ruid: Id, euid: Id) -> int:
    """Set the real and the effective user."""
    process, who = thread.process, thread.process.credentials
    who.user.set_two(ruid, euid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def setregid(thread: UserThread, rgid: Id, egid: Id) -> int:
    """Set the real and the effective group."""
    process, who = thread.process, thread.process.credentials
    who.group.set_two(rgid, egid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def setresuid(thread: UserThread, ruid: Id, euid: Id, suid: Id) -> int:
    """Set the real, the effective and the saved user."""
    process, who = thread.process, thread.process.credentials
    who.user.set_three(ruid, euid, suid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def setresgid(thread: UserThread, rgid: Id, egid: Id, sgid: Id) -> int:
    """Set the real, the effective and the saved group."""
    process, who = thread.process, thread.process.credentials
    who.group.set_three(rgid, egid, sgid, privileged=who.privileged)
    who.apply(process.fs)
    return 0


@syscall
def getresuid(thread: UserThread, ruid: UserPtr, euid: UserPtr, suid: UserPtr) -> int:
    """Tell the real, the effective and the saved user."""
    return _tell(thread, thread.process.credentials.user, (ruid, euid, suid))


@syscall
def getresgid(thread: UserThread, rgid: UserPtr, egid: UserPtr, sgid: UserPtr) -> int:
    """Tell the real, the effective and the saved group."""
    return _tell(thread, thread.process.credentials.group, (rgid, egid, sgid))


def _tell(thread: UserThread, ids: Ids, places: tuple[int, int, int]) -> int:
    for place, number in zip(places, (ids.real, ids.effective, ids.saved), strict=True):
        thread.process.space.copy_out(place, struct.pack("<I", number))
    return 0


@syscall
def setfsuid(thread: UserThread, uid: Id) -> int:
    """Set whose files may be used; the result is who that was, whether or not it is changed."""
    fs, who = thread.process.fs, thread.process.credentials
    before = fs.uid
    if uid != -1 and (who.privileged or uid in who.user or uid == before):
        fs.uid = uid
    return before


@syscall
def setfsgid(thread: UserThread, gid: Id) -> int:
    """Set whose group's files may be used; the result is who that was."""
    fs, who = thread.process.fs, thread.process.credentials
    before = fs.gid
    if gid != -1 and (who.privileged or gid in who.group or gid == before):
        fs.gid = gid
    return before


@syscall
def getgroups(thread: UserThread, size: Int, list_: UserPtr) -> int:
    """Return the supplementary groups."""
    groups = sorted(thread.process.fs.groups)
    if size < 0 or (size and size < len(groups)):
        raise SysError(Errno.EINVAL)
    if size:
        thread.process.space.copy_out(list_, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


@syscall
def setgroups(thread: UserThread, size: Int, list_: UserPtr) -> int:
    """Set the supplementary groups."""
    process = thread.process
    if not process.credentials.privileged:
        raise SysError(Errno.EPERM)
    if not 0 <= size <= _GROUPS_MOST:
        raise SysError(Errno.EINVAL)
    raw = process.space.copy_in(list_, 4 * size)
    process.fs.groups = frozenset(struct.unpack(f"<{size}I", raw))
    return 0


# -- capabilities: user 0 has all, nobody else has one


def _words(thread: UserThread, header: int) -> tuple[int, int]:
    """Return how many words the caller's structure has, and of which process."""
    space = thread.process.space
    version, pid = struct.unpack("<Ii", space.copy_in(header, 8))
    if version not in _CAPABILITY_VERSIONS:
        space.copy_out(header, struct.pack("<I", _CAPABILITY_VERSION))
        raise SysError(Errno.EINVAL)
    if pid < 0:
        raise SysError(Errno.EINVAL)
    return _CAPABILITY_VERSIONS[version], pid


@syscall
def capget(thread: UserThread, hdrp: UserPtr, datap: UserPtr) -> int:
    """Tell the capabilities of a process."""
    try:
        words, pid = _words(thread, hdrp)
    except SysError as error:
        if error.errno is Errno.EINVAL and not datap:
            return 0  # that is how a program asks for the version
        raise
    target = thread.process if not pid else thread.system.processes.get(pid)
    if datap:
        thread.process.space.copy_out(datap, _capabilities(target.credentials.user, words))
    return 0


def _capabilities(user: Ids, words: int) -> bytes:
    """Return effective, permitted and inheritable capabilities, 32 by 32."""
    effective = 0 if user.effective else ALL_CAPABILITIES
    permitted = ALL_CAPABILITIES if 0 in user else 0
    mask = 0xFFFF_FFFF
    return b"".join(
        struct.pack("<III", effective >> shift & mask, permitted >> shift & mask, 0)
        for shift in range(0, 32 * words, 32)
    )


@syscall
def capset(thread: UserThread, hdrp: UserPtr, datap: UserPtr) -> int:
    """Refuse other capabilities than those that come with the user."""
    words, pid = _words(thread, hdrp)
    process = thread.process
    if pid not in {0, process.pid}:
        raise SysError(Errno.EPERM)
    now = _capabilities(process.credentials.user, words)
    if process.space.copy_in(datap, len(now)) != now:
        raise SysError(Errno.EPERM)
    return 0
