"""A process that stands still, as data: what it is, but for its pages; and a process made of that.

What others share with it cannot go with it: shared memory, pipes and sockets are refused.
"""

from __future__ import annotations

import bisect
import contextlib
import json
from dataclasses import asdict, astuple, dataclass, fields
from stat import S_IFCHR, S_IFDIR, S_IFMT, S_IFREG
from typing import TYPE_CHECKING, Any

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_NOCTTY
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import path_of, walk
from pykern.kernel.fs.pty import SLAVE_MAJOR
from pykern.kernel.fs.stat import major
from pykern.kernel.fs.table import FileTable
from pykern.kernel.migration.checks import ONCE, parsed
from pykern.kernel.mm.space import Backing
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    PROT_READ,
    PROT_WRITE,
)
from pykern.kernel.task.credentials import Credentials, Ids
from pykern.kernel.task.exit import exit_thread
from pykern.kernel.task.rlimit import ResourceLimits
from pykern.kernel.task.sigaction import SigAction, SigInfo, Signal
from pykern.kernel.task.thread import SignalStack
from pykern.kernel.x86 import fxsave
from pykern_c.context import Context

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pykern.kernel.fs.file import File
    from pykern.kernel.mm.pager import Pager
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.mm.vma import Vma
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.sigaction import PendingSignals
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["ProcessImage", "capture", "check_movable", "discard", "pages_of", "restore", "start"]

_MOVABLE = frozenset((S_IFREG, S_IFDIR, S_IFCHR))
"""Kinds of files that are the same, or stand for the same, where a process arrives."""
_TABLE_SHIFTS = (21, 30, 39)


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


def _bytes(text: str) -> bytes:
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
        raise _stays(f"it has a child, process {min(process.children)}")
    if process.sharing_parent_space:
        raise _stays("its parent waits for it to execute a program (vfork)")
    if len(process.timers):
        raise _stays("it has a timer (timer_create)")
    for vma in process.space.vmas:
        _area(vma)
    list(_files(process))


def _stays(why: str) -> SysError:
    return SysError(Errno.EOPNOTSUPP, why)


def _area(vma: Vma) -> list[Any]:
    if vma.shared:
        raise _stays(f"shared memory at {vma.start:#x}")
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
        raise _stays(f"descriptor {fd} is {name}")
    if S_IFMT(inode.mode) not in _MOVABLE:
        raise _stays(f"descriptor {fd} is {name}, neither file, directory nor character device")
    if S_IFMT(inode.mode) == S_IFCHR and major(inode.rdev) == SLAVE_MAJOR:
        raise _stays(f"descriptor {fd} is {name}, a pseudo-terminal")
    if not inode.nlink:
        raise _stays(f"descriptor {fd} is {name}, which was removed")


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
        [i.signal, i.code, i.pid, i.uid, i.address, i.status, i.value, i.raw.hex()]
        for i in signals
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


# -- to a process


async def restore(
    system: System,
    image: ProcessImage,
    pages: Mapping[int, bytes],
    pager: Pager | None = None,
) -> Process:
    """Make a process of an image; it does not run yet (`start`).

    Parameters
    ----------
    pages : linear address → contents
    pager : where all others come from, at offsets equal to their addresses; None: they are zero

    Raises
    ------
    SysError : no memory, a file that is not there, or only signed programs may run; nothing is
        left of the process
    """
    _check_room(system, image.resident)
    fs = FsContext.at_root(system.vfs, system.mounts)
    space, files = system.processes.new_space(), FileTable()
    try:
        _map(space, image, pages, pager)
        fs.cwd, fs.umask = walk(fs, _bytes(image.cwd)), image.umask
        credentials = _identify(fs, image)
        await _open(fs, files, image)
        process = system.processes.create(None, space, files, fs)
    except BaseException:
        files.close_all()
        space.release()
        raise
    process.credentials = credentials
    _dress(system, process, image)
    try:
        for index, saved in enumerate(image.threads):
            pid = process.pid if not index else None
            thread = system.processes.new_thread(process, saved["name"], pid)
            _fill(system, thread, saved)
    except SysError:
        if not process.threads:
            system.processes.forget(process)
            files.close_all()
            space.release()
        discard(system, process)
        raise
    return process


def _check_room(system: System, resident: Collection[int]) -> None:
    """See whether programs of others may run here, and whether there is room for the pages."""
    if system.trusted_keys:
        raise SysError(Errno.EPERM, "only signed programs run here, and nobody signs processes")
    tables = sum(len({laddr >> shift for laddr in resident}) for shift in _TABLE_SHIFTS)
    free = system.frames.statistics().free // PAGE_SIZE
    if len(resident) + tables > free:
        raise SysError(Errno.ENOMEM, f"{len(resident)} pages, {free} are free")


def _identify(fs: FsContext, image: ProcessImage) -> Credentials:
    """Return who the process is, and have its files checked for that."""
    user, group, groups, no_new_privileges = image.identity
    credentials = Credentials(Ids(*user), Ids(*group), no_new_privileges)
    credentials.apply(fs)
    fs.groups = frozenset(groups)
    return credentials


def _dress(system: System, process: Process, image: ProcessImage) -> None:
    """Give a process what does not depend on its threads."""
    process.limits = ResourceLimits.of_first(system.frames.statistics().total)
    process.limits.apply(process.space.limits, process.files)
    process.arguments = tuple(map(_bytes, image.arguments))
    process.environment = tuple(map(_bytes, image.environment))
    with contextlib.suppress(SysError):  # it may run on without its file
        path = _bytes(image.executable)
        process.executable = (path, walk(process.fs, path)) if path else None
    for number, action in image.actions.items():
        process.actions.table[int(number)] = SigAction(**action)
    _send(process.pending, image.pending)
    process.alarm.set(system, process, *image.alarm)


def _send(pending: PendingSignals, signals: list[list[Any]]) -> None:
    for *values, raw in signals:
        pending.add(SigInfo(*values, raw=bytes.fromhex(raw)))


def discard(system: System, process: Process) -> None:
    """End a restored process before it has run."""
    for thread in list(process.threads):
        thread.robust_list = thread.clear_child_tid = 0
        exit_thread(system, thread, Signal.SIGKILL)


def start(system: System, process: Process) -> None:
    """Let a restored process run."""
    for thread in process.threads:
        system.scheduler.add(thread)


def _map(
    space: AddressSpace, image: ProcessImage, pages: Mapping[int, bytes], pager: Pager | None
) -> None:
    here = sorted(pages)
    for first, end, prot, grows_down, name in image.areas:
        kind = MAP_PRIVATE | MAP_FIXED | (MAP_GROWSDOWN if grows_down else 0)
        backing = None if pager is None else Backing(pager, first)
        anonymous = MAP_ANONYMOUS if pager is None else 0
        size = end - first
        space.mmap(first, size, PROT_READ | PROT_WRITE, kind | anonymous, backing, name=name)
        for laddr in here[bisect.bisect_left(here, first) : bisect.bisect_left(here, end)]:
            space.copy_out(laddr, pages[laddr])
        space.mprotect(first, size, prot)
    space.start_brk, space.end_brk = image.brk


async def _open(fs: FsContext, files: FileTable, image: ProcessImage) -> None:
    for fd, path, flags, offset, cloexec, same in image.files:
        if same is not None:
            files.install(files.get(same).get(), cloexec=cloexec, minimum=fd)
            continue
        try:
            file = await _opened(fs, _bytes(path), flags)
        except SysError as error:
            raise SysError(error.errno, f"descriptor {fd}: {path} {error.detail}".rstrip()) from None
        file.offset = offset
        files.install(file, cloexec=cloexec, minimum=fd)


async def _opened(fs: FsContext, path: bytes, flags: int) -> File:
    if S_IFMT(walk(fs, path).inode.mode) not in _MOVABLE:
        raise _stays("is neither file, directory nor character device")
    return await open_at(fs, path, flags | O_NOCTTY)


def _fill(system: System, thread: UserThread, saved: dict[str, Any]) -> None:
    """Give a new thread the registers of the old one."""
    cpu = system.clock.this_cpu
    assert cpu is not None
    thread.frame.write(saved["frame"])
    entry, mine = thread.context.copy(), Context()
    mine.save(cpu.vcpu)
    fxsave.restore(cpu.vcpu, bytes.fromhex(saved["fpu"]))
    thread.context.save(cpu.vcpu)
    mine.restore(cpu.vcpu)
    context = thread.context
    for name in ("rip", "rsp", "rflags", "cr3", "gs_base"):
        setattr(context, name, getattr(entry, name))
    context.fs_base, context.kernel_gs_base = saved["fs_base"], saved["gs_base"]
    thread.blocked = saved["blocked"]
    _send(thread.pending, saved["pending"])
    thread.need_work = bool(saved["pending"] or thread.process.pending.mask)
    thread.signal_stack = SignalStack(*saved["signal_stack"])
    thread.clear_child_tid, thread.robust_list = saved["clear_child_tid"], saved["robust_list"]
    if saved["left_ns"] is not None:
        thread.restart_deadline_ns = system.clock.now_ns + saved["left_ns"]
