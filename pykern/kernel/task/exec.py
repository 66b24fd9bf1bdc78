"""execve: replace a process's program.

References
----------
POSIX.1-2017, exec; Linux, execve(2), on interpreter scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from stat import S_ISGID, S_ISUID, S_IXGRP
from typing import TYPE_CHECKING

from pykern.kernel.binfmt import elf, signature
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import MS_NOEXEC, MS_NOSUID, O_RDONLY
from pykern.kernel.fs.open import open_at, open_location
from pykern.kernel.task.credentials import Credentials
from pykern.kernel.task.robust import release_robust_list
from pykern.kernel.task.thread import SignalStack
from pykern.kernel.x86.trapframe import new_user_frame

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

HWCAP = 0x0FABFBFF
"""CPUID.1:EDX, which AT_HWCAP is on x86."""
_SCRIPT_MOST = 4
_SCRIPT_LINE = 256
_COMM_LENGTH = 15
_X_OK = 1


@dataclass(frozen=True)
class Start:
    """Where a new program begins, and where it comes from.

    Attributes
    ----------
    executable : absolute path and place of the file, for /proc/PID/exe
    credentials : who the process is from then on
    """

    rip: int
    rsp: int
    executable: tuple[bytes, Location]
    credentials: Credentials


@dataclass(frozen=True)
class Program:
    """An executable that was read; `path` is absolute, without symbolic links."""

    image: bytes
    path: bytes
    place: Location


async def read_program(fs: FsContext, path: bytes, place: Location | None = None) -> Program:
    """Read an executable.

    Parameters
    ----------
    place : where it is; looked up by its path unless given

    Raises
    ------
    SysError : EACCES for what is no regular file or may not be executed; whatever opening raises
    """
    if place is None:
        file = await open_at(fs, path, O_RDONLY)
    else:
        file = await open_location(fs, place, O_RDONLY)
    try:
        if not file.inode.is_regular() or file.location.mount.flags & MS_NOEXEC:
            raise SysError(Errno.EACCES)
        fs.require(file.inode, _X_OK)
        buffer = BytesBuffer(size=file.inode.size)
        while buffer.remaining and await file.read(buffer):
            pass
        return Program(buffer.done, file.name or path, file.location)
    finally:
        file.put()


async def load(
    system: System,
    fs: FsContext,
    space: AddressSpace,
    path: bytes,
    arguments: list[bytes],
    environment: list[bytes],
    credentials: Credentials | None = None,
    place: Location | None = None,
) -> Start:
    """Load a program and its interpreter into a fresh address space.

    Parameters
    ----------
    credentials : of the caller; user 0 unless given
    place : of the program; looked up by its path unless given

    Raises
    ------
    SysError : ENOEXEC, ENOENT, EACCES, E2BIG, ENOMEM, ELOOP
    """
    source, name, arguments = await _program(fs, path, arguments, place)
    _check_signature(system, source.image, name)
    program = elf.parse(source.image, name.decode("utf-8", "replace"))
    loaded = elf.load(program, space, space.layout.program if program.movable else 0)
    space.set_brk(loaded.end)
    interpreter = None
    if program.interpreter is not None:
        where = program.interpreter.encode("utf-8", "surrogateescape")
        read = await read_program(fs, where)
        _check_signature(system, read.image, where)
        other = elf.parse(read.image, program.interpreter)
        interpreter = elf.load(other, space, elf.INTERPRETER_BASE if other.movable else 0)
    who = _credentials(source.place, credentials or Credentials())
    ids = (who.user.real, who.user.effective, who.group.real, who.group.effective)
    top = space.map_stack(space.layout.stack_size)
    rsp = elf.build_stack(
        space,
        top,
        arguments,
        environment,
        elf.auxiliary_vector(loaded, interpreter, HWCAP, ids, secure=who.changed_rights),
        system.random_bytes(16),
        path,
    )
    entry = interpreter.entry if interpreter else loaded.entry
    return Start(entry, rsp, (source.path, source.place), who)


def _credentials(place: Location, caller: Credentials) -> Credentials:
    """Return who a program runs as: set-user-ID and set-group-ID, where the mount allows them."""
    who, inode = caller.copy(), place.inode
    if not place.mount.flags & MS_NOSUID and not who.no_new_privileges:
        if inode.mode & S_ISUID:
            who.user.effective = inode.uid
        if inode.mode & S_ISGID and inode.mode & S_IXGRP:
            who.group.effective = inode.gid
    who.user.saved, who.group.saved = who.user.effective, who.group.effective
    return who


def _check_signature(system: System, image: bytes, name: bytes) -> None:
    """Refuse what nobody who is trusted has signed, where that is asked for (MIC-17)."""
    if system.trusted_keys:
        signature.check(image, system.trusted_keys, name.decode("utf-8", "replace"))


async def _program(
    fs: FsContext, path: bytes, arguments: list[bytes], place: Location | None
) -> tuple[Program, bytes, list[bytes]]:
    """Read the program; where that is a script, the program that its first line names."""
    for _ in range(_SCRIPT_MOST):
        program = await read_program(fs, path, place)
        place = None
        if not program.image.startswith(b"#!"):
            return program, path, arguments
        line = program.image[2:_SCRIPT_LINE].split(b"\n", 1)[0].strip(b" \t")
        interpreter, _, argument = line.partition(b" ")
        if not interpreter:
            raise elf.NotExecutable(f"{path.decode('utf-8', 'replace')}: no interpreter after #!")
        extra = [argument.strip(b" \t")] if argument else []
        arguments = [interpreter, *extra, path, *arguments[1:]]
        path = interpreter
    raise SysError(Errno.ELOOP)


async def execute(
    system: System,
    thread: UserThread,
    path: bytes,
    arguments: list[bytes],
    environment: list[bytes],
    place: Location | None = None,
) -> None:
    """Replace the program of the calling thread's process; other threads end.

    Parameters
    ----------
    place : of the program; looked up by its path unless given

    Raises
    ------
    SysError : nothing has changed
    """
    process = thread.process
    space = system.processes.new_space()
    try:
        start = await load(
            system, process.fs, space, path, arguments, environment, process.credentials, place
        )
        await system.processes.end_other_threads(process, thread)
    except BaseException:
        space.release()
        raise
    release_robust_list(system, thread)
    become(system, thread, space, start)
    process.arguments, process.environment = tuple(arguments), tuple(environment)
    process.executable, process.has_executed = start.executable, True
    process.credentials = start.credentials
    process.credentials.apply(process.fs)
    thread.name = path.rsplit(b"/", 1)[-1][:_COMM_LENGTH].decode("utf-8", "replace")
    process.timers.delete_all()
    process.dumpable, process.barriers = 1, 0
    process.limits.apply(space.limits, process.files)
    process.files.close_on_exec()
    process.actions.reset_handlers()


def become(system: System, thread: UserThread, space: AddressSpace, start: Start) -> None:
    """Point of no return: give a thread on a processor a new address space and a new frame."""
    process = thread.process
    old, process.space = process.space, space
    cpu = system.cpus[thread.cpu]
    space.cpus |= 1 << cpu.number
    context = thread.context
    context.save(cpu.vcpu)
    context.cr3 = space.pml4
    context.fs_base = context.kernel_gs_base = 0
    context.clear_fpu()
    context.restore(cpu.vcpu)
    thread.clear_child_tid = 0
    thread.signal_stack = SignalStack()
    thread.frame.write(new_user_frame(start.rip, start.rsp))
    release_space(process, old)


def release_space(process: Process, space: AddressSpace) -> None:
    """Leave an address space; the parent of a vforked child goes on."""
    process.sharing_parent_space = False
    space.release()
    process.vfork_done.wake_all()
