"""A process made of an image; whatever fails, nothing is left of it."""

from __future__ import annotations

import bisect
import contextlib
from dataclasses import replace
from stat import S_IFMT
from typing import TYPE_CHECKING, Any

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_NOCTTY
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.table import FileTable
from pykern.kernel.migration.image import MOVABLE, bytes_of, stays
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
    from collections.abc import Collection, Mapping

    from pykern.kernel.fs.file import File
    from pykern.kernel.migration.image import ProcessImage
    from pykern.kernel.mm.pager import Pager
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.sigaction import PendingSignals
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["discard", "restore", "start"]

_TABLE_SHIFTS = (21, 30, 39)


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
        fs.cwd, fs.umask = walk(fs, bytes_of(image.cwd)), image.umask
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
    process.arguments = tuple(map(bytes_of, image.arguments))
    process.environment = tuple(map(bytes_of, image.environment))
    with contextlib.suppress(SysError):  # it may run on without its file
        path = bytes_of(image.executable)
        process.executable = (path, walk(process.fs, path)) if path else None
    for number, action in image.actions.items():
        process.actions.table[int(number)] = SigAction(**action)
    _send(process.pending, image.pending)
    process.alarm.set(system, process, *image.alarm)


def _send(pending: PendingSignals, signals: list[list[Any]]) -> None:
    for signal, code, pid, uid, address, status, value, raw in signals:
        info = SigInfo(signal, code, pid, uid, address, status, value)
        pending.add(replace(info, raw=bytes.fromhex(raw)))


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
            file = await _opened(fs, bytes_of(path), flags)
        except SysError as error:
            raise SysError(
                error.errno, f"descriptor {fd}: {path} {error.detail}".rstrip()
            ) from None
        file.offset = offset
        files.install(file, cloexec=cloexec, minimum=fd)


async def _opened(fs: FsContext, path: bytes, flags: int) -> File:
    if S_IFMT(walk(fs, path).inode.mode) not in MOVABLE:
        raise stays("is neither file, directory nor character device")
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
