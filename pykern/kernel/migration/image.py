"""A process that stands still, as data: what it is, but for its pages; and a process made of that.

What others share with it cannot go with it: shared memory, pipes and sockets are refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_CREAT, O_EXCL, O_TRUNC
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import path_of, walk
from pykern.kernel.fs.table import FileTable
from pykern.kernel.mm.space import Backing
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    PROT_READ,
    PROT_WRITE,
)
from pykern.kernel.task.rlimit import ResourceLimits
from pykern.kernel.task.sigaction import SigAction
from pykern.kernel.x86 import fxsave
from pykern_c.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pykern.kernel.mm.pager import Pager
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.mm.vma import Vma
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["ProcessImage", "capture", "check_movable", "pages_of", "restore", "start"]

_ONCE = O_CREAT | O_EXCL | O_TRUNC


@dataclass
class ProcessImage:
    """All of a process but its pages, in values that JSON has.

    Attributes
    ----------
    areas : start, end, prot, grows_down and name of each
    threads : registers, bases, x87 and SSE state (hex), blocked signals, what is left of a sleep
    files : number, path, flags, offset and cloexec of each
    resident : linear addresses of its pages
    """

    name: str
    arguments: list[str]
    environment: list[str]
    cwd: str
    umask: int
    brk: list[int]
    areas: list[list[Any]]
    threads: list[dict[str, Any]]
    files: list[list[Any]]
    actions: dict[str, dict[str, int]]
    resident: list[int] = field(default_factory=list)

    def encode(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> ProcessImage:
        """Return what `encode` has made bytes of."""
        return cls(**json.loads(data))


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
    space = process.space
    return ProcessImage(
        name=process.name,
        arguments=[_text(argument) for argument in process.arguments],
        environment=[_text(word) for word in process.environment],
        cwd=_text(path_of(process.fs, process.fs.cwd)),
        umask=process.fs.umask,
        brk=[space.start_brk, space.end_brk],
        areas=[_area(vma) for vma in space.vmas],
        threads=[_thread(system, thread) for thread in process.threads],
        files=list(_files(process)),
        actions={str(n): asdict(action) for n, action in process.actions.table.items()},
        resident=[laddr for laddr, _ in pages_of(space)],
    )


def check_movable(process: Process) -> None:
    """See whether a process could leave as it is now.

    Raises
    ------
    SysError(EOPNOTSUPP) : it has what cannot leave this kernel; says what
    """
    for vma in process.space.vmas:
        _area(vma)
    list(_files(process))


def _area(vma: Vma) -> list[Any]:
    if vma.shared:
        raise SysError(Errno.EOPNOTSUPP, f"shared memory at {vma.start:#x}")
    return [vma.start, vma.end, vma.prot, vma.grows_down, vma.name]


def _files(process: Process) -> Iterator[list[Any]]:
    for fd, file in process.files:
        if not file.name.startswith(b"/"):
            raise SysError(Errno.EOPNOTSUPP, f"descriptor {fd} is {_text(file.name) or 'unnamed'}")
        cloexec = process.files.cloexec(fd)
        yield [fd, _text(file.name), file.flags & ~_ONCE, file.offset, cloexec]


def _thread(system: System, thread: UserThread) -> dict[str, Any]:
    system.signals.restart_call(thread)
    deadline_ns = thread.restart_deadline_ns
    return {
        "name": thread.name,
        "frame": thread.frame.read(),
        "fs_base": thread.context.fs_base,
        "gs_base": thread.context.kernel_gs_base,
        "fpu": _fpu_of(system, thread).hex(),
        "blocked": thread.blocked,
        "left_ns": None if deadline_ns is None else max(deadline_ns - system.clock.now_ns, 0),
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
    SysError : no memory, or a file that is not there; nothing is left of the process
    """
    fs = FsContext.at_root(system.vfs, system.mounts)
    space, files = system.processes.new_space(), FileTable()
    try:
        _map(space, image, pages, pager)
        await _open(fs, files, image)
        fs.cwd, fs.umask = walk(fs, _bytes(image.cwd)), image.umask
        process = system.processes.create(None, space, files, fs)
    except BaseException:
        files.close_all()
        space.release()
        raise
    process.limits = ResourceLimits.of_first(system.frames.statistics().total)
    process.limits.apply(space.limits, files)
    process.arguments = tuple(map(_bytes, image.arguments))
    process.environment = tuple(map(_bytes, image.environment))
    for number, action in image.actions.items():
        process.actions.table[int(number)] = SigAction(**action)
    for index, saved in enumerate(image.threads):
        thread = system.processes.new_thread(
            process, saved["name"], process.pid if not index else None
        )
        _fill(system, thread, saved)
    return process


def start(system: System, process: Process) -> None:
    """Let a restored process run."""
    for thread in process.threads:
        system.scheduler.add(thread)


def _map(
    space: AddressSpace, image: ProcessImage, pages: Mapping[int, bytes], pager: Pager | None
) -> None:
    for first, end, prot, grows_down, name in image.areas:
        kind = MAP_PRIVATE | MAP_FIXED | (MAP_GROWSDOWN if grows_down else 0)
        backing = None if pager is None else Backing(pager, first)
        anonymous = MAP_ANONYMOUS if pager is None else 0
        size = end - first
        space.mmap(first, size, PROT_READ | PROT_WRITE, kind | anonymous, backing, name=name)
        for laddr in range(first, end, PAGE_SIZE):
            if laddr in pages:
                space.copy_out(laddr, pages[laddr])
        space.mprotect(first, size, prot)
    space.start_brk, space.end_brk = image.brk


async def _open(fs: FsContext, files: FileTable, image: ProcessImage) -> None:
    for fd, path, flags, offset, cloexec in image.files:
        file = await open_at(fs, _bytes(path), flags)
        file.offset = offset
        files.install(file, cloexec=cloexec, minimum=fd)


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
    if saved["left_ns"] is not None:
        thread.restart_deadline_ns = system.clock.now_ns + saved["left_ns"]
