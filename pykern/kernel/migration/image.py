"""A process that stands still, as data: what it is, but for its pages.

What others share with it cannot go with it: shared memory, pipes and sockets are refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, fields
from stat import S_IFCHR, S_IFDIR, S_IFMT, S_IFREG
from typing import TYPE_CHECKING, Any

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.path import path_of
from pykern.kernel.fs.pty import SLAVE_MAJOR
from pykern.kernel.fs.stat import major
from pykern.kernel.migration.checks import ONCE, parsed
from pykern.kernel.x86 import fxsave
from pykern_c.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.fs.file import File
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.mm.vma import Vma
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.sigaction import PendingSignals
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = [
    "MOVABLE",
    "ProcessImage",
    "bytes_of",
    "capture",
    "check_movable",
    "pages_of",
    "stays",
]

MOVABLE = frozenset((S_IFREG, S_IFDIR, S_IFCHR))
"""Kinds of files that are the same, or stand for the same, where a process arrives."""


@dataclass
class ProcessImage:
    """All of a process but its pages, in values that JSON has.

    Attributes
    ----------
    areas : start, end, prot, grows_down and name of each
    threads : registers, bases, x87 and SSE state (hex), signals, what is left of a sleep
    files : number, path, flags, offset and cloexec of each, and which one before is the same open
        file (dup)
    identity : users, groups, supplementary groups, no_new_privileges
    alarm : what is left of it, ns, and its interval
    pending : signals that wait for any of its threads
    resident : linear addresses of its pages
    """

    name: str
    arguments: list[str]
    environment: list[str]
    executable: str
    cwd: str
    umask: int
    brk: list[int]
    areas: list[list[Any]]
    threads: list[dict[str, Any]]
    files: list[list[Any]]
    actions: dict[str, dict[str, int]]
    identity: list[Any]
    alarm: list[int]
    pending: list[list[Any]]
    resident: list[int]

    def encode(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> ProcessImage:
        """Return what `encode` has made bytes of.

        Raises
        ------
        BadMessage : somebody else has made them
        """
        return cls(**parsed(data, frozenset(each.name for each in fields(cls))))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes that a text of an image stands for."""
    return text.encode("utf-8", "surrogateescape")


# -- from a process


def capture(system: System, process: Process) -> ProcessImage:
    """Return the image of a process whose threads are all stopped on their way to user mode.

    Raises
    ------
    SysError(EOPNOTSUPP) : it has what cannot leave this kernel; says what
    """
    check_movable(process)
    space = process.space
    return ProcessImage(
        name=process.name,
        arguments=[_text(argument) for argument in process.arguments],
        environment=[_text(word) for word in process.environment],
        executable=_text(process.executable[0]) if process.executable else "",
        cwd=_text(path_of(process.fs, process.fs.cwd)),
        umask=process.fs.umask,
        brk=[space.start_brk, space.end_brk],
        areas=[_area(vma) for vma in space.vmas],
        threads=[_thread(system, thread) for thread in process.threads],
        files=list(_files(process)),
        actions={str(n): asdict(action) for n, action in process.actions.table.items()},
        identity=_identity(process),
        alarm=[process.alarm.remaining_ns(system.clock.now_ns), process.alarm.interval_ns],
        pending=_pending(process.pending),
        resident=[laddr for laddr, _ in pages_of(space)],
    )


def check_movable(process: Process) -> None:
    """See whether a process could leave as it is now.

    Raises
    ------
    SysError(EOPNOTSUPP) : it has what cannot leave this kernel; says what
    """
    if process.children:
        raise stays(f"it has a child, process {min(process.children)}")
    if process.sharing_parent_space:
        raise stays("its parent waits for it to execute a program (vfork)")
    if len(process.timers):
        raise stays("it has a timer (timer_create)")
    for vma in process.space.vmas:
        _area(vma)
    list(_files(process))


def stays(why: str) -> SysError:
    """Return the error of a process that cannot leave, or be here."""
    return SysError(Errno.EOPNOTSUPP, why)


def _area(vma: Vma) -> list[Any]:
    if vma.shared:
        raise stays(f"shared memory at {vma.start:#x}")
    return [vma.start, vma.end, vma.prot, vma.grows_down, vma.name]


def _files(process: Process) -> Iterator[list[Any]]:
    firsts: dict[int, int] = {}
    for fd, file in process.files:
        _check_file(fd, file)
        same = firsts.setdefault(id(file), fd)
        yield [
            fd,
            _text(file.name),
            file.flags & ~ONCE,
            file.offset,
            process.files.cloexec(fd),
            None if same == fd else same,
        ]


def _check_file(fd: int, file: File) -> None:
    name, inode = _text(file.name) or "unnamed", file.inode
    if not name.startswith("/"):
        raise stays(f"descriptor {fd} is {name}")
    if S_IFMT(inode.mode) not in MOVABLE:
        raise stays(f"descriptor {fd} is {name}, neither file, directory nor character device")
    if S_IFMT(inode.mode) == S_IFCHR and major(inode.rdev) == SLAVE_MAJOR:
        raise stays(f"descriptor {fd} is {name}, a pseudo-terminal")
    if not inode.nlink:
        raise stays(f"descriptor {fd} is {name}, which was removed")


def _identity(process: Process) -> list[Any]:
    user, group = process.credentials.user, process.credentials.group
    return [
        [user.real, user.effective, user.saved],
        [group.real, group.effective, group.saved],
        sorted(process.fs.groups),
        process.credentials.no_new_privileges,
    ]


def _pending(signals: PendingSignals) -> list[list[Any]]:
    return [
        [i.signal, i.code, i.pid, i.uid, i.address, i.status, i.value, i.raw.hex()] for i in signals
    ]


def _thread(system: System, thread: UserThread) -> dict[str, Any]:
    system.signals.restart_call(thread)
    deadline_ns = thread.restart_deadline_ns
    return {
        "name": thread.name,
        "frame": thread.frame.read(),
        "fs_base": thread.context.fs_base,
        "gs_base": thread.context.kernel_gs_base,
        "fpu": _fpu_of(system, thread).hex(),
        "blocked": thread.blocked if thread.saved_mask is None else thread.saved_mask,
        "left_ns": None if deadline_ns is None else max(deadline_ns - system.clock.now_ns, 0),
        "pending": _pending(thread.pending),
        "signal_stack": list(astuple(thread.signal_stack)),
        "clear_child_tid": thread.clear_child_tid,
        "robust_list": thread.robust_list,
    }


def _fpu_of(system: System, thread: UserThread) -> bytes:
    """Return x87 and SSE state of a thread that is on no processor, by way of this one."""
    cpu = system.clock.this_cpu
    assert cpu is not None
    mine, theirs = Context(), thread.context.copy()
    mine.save(cpu.vcpu)
    theirs.cr3 = mine.cr3
    theirs.restore(cpu.vcpu)
    image = fxsave.save(cpu.vcpu)
    mine.restore(cpu.vcpu)
    return image


def pages_of(space: AddressSpace) -> Iterator[tuple[int, bytes]]:
    """Iterate over the pages that hold something: (linear address, contents)."""
    for vma in space.vmas:
        for laddr in range(vma.start, vma.end, PAGE_SIZE):
            entry = space.pages.entry(laddr)
            if entry and not space.pages.table.is_swapped(entry):
                paddr = space.pages.table.paddr_of(entry)
                yield laddr, space.memory.read(paddr, PAGE_SIZE)
            elif entry:
                raise SysError(Errno.EOPNOTSUPP, f"page {laddr:#x} is in swap space")
            elif vma.pager is not None:
                offset = vma.offset + laddr - vma.start
                yield laddr, vma.pager.peek(offset, space.memory)
