"""From a kernel to a system: root file system, console, the first process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.binfmt import signature
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.log import Level
from pykern.kernel.core.options import parsed
from pykern.kernel.disks import Disks
from pykern.kernel.drivers import keyboard
from pykern.kernel.drivers.serial import COM1_IRQ
from pykern.kernel.fs import entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.char_devices import add_memory_devices
from pykern.kernel.fs.context import FsContext, Vfs
from pykern.kernel.fs.flags import O_CREAT, O_RDWR, O_TRUNC, O_WRONLY
from pykern.kernel.fs.initramfs import unpack
from pykern.kernel.fs.mount import Mounts
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.pty import add_ptmx
from pykern.kernel.fs.table import FileTable
from pykern.kernel.fs.tty import Tty, add_console, add_tty
from pykern.kernel.fs.types import devfs, procfs, tmpfs
from pykern.kernel.jobs import Jobs
from pykern.kernel.procinfo import SystemFiles
from pykern.kernel.task import exec as execution
from pykern.kernel.task import swapping
from pykern.kernel.task.rlimit import ResourceLimits
from pykern.kernel.x86 import vectors
from pykern.kernel.x86.trapframe import new_user_frame

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process
    from pykern.kernel.x86.boot_parameters import Module

CONSOLE = ("ttyS0", (4, 64))
_ENVIRONMENT = (b"PATH=/bin:/sbin:/usr/bin", b"HOME=/root", b"TERM=vt100", b"USER=root")


class UserMode:
    """Makes the surroundings of processes.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.jobs = Jobs(kernel)
        self.disks = Disks(kernel)

    async def start(self) -> Process:
        """Make everything and start the first program.

        Raises
        ------
        SysError : there is no first program, or it cannot be run
        """
        await self.prepare()
        kernel = self._kernel
        path = kernel.boot.options.get("init", kernel.profile.init).encode()
        return await self.spawn(path, *map(str.encode, kernel.boot.init_arguments))

    async def prepare(self) -> None:
        """Make the root file system and the console, and unpack the modules."""
        kernel, profile = self._kernel, self._kernel.profile
        swapping.start(
            kernel, *swapping.sizes(kernel.boot.options, profile.swap, profile.replacement)
        )
        kernel.trusted_keys = parsed(
            kernel.boot.options, "trust", signature.parse_keys, profile.trust
        )
        kernel.vfs = Vfs(
            lambda: kernel.realtime_ns,
            on_broken_pipe=self.jobs.broken_pipe,
            caller=self.jobs.credentials,
            monotonic=lambda: kernel.clock.now_ns,
        )
        kernel.mounts = Mounts(tmpfs.mount_tmpfs(b"", {}, kernel.vfs))
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        self._make_console()
        await self.disks.find()
        self._mount(fs)
        SystemFiles(kernel).register(fs)
        for module in kernel.boot.modules:
            await self._unpack(fs, module)

    def _make_console(self) -> None:
        kernel = self._kernel
        add_memory_devices(kernel.vfs.devices, kernel.random_bytes)
        name, number = CONSOLE
        kernel.console = Tty(name, number, kernel.output, lambda: kernel.clock.now_ns, self.jobs)
        add_tty(kernel.vfs.devices, kernel.console)
        add_console(kernel.vfs.devices, kernel.console)
        add_ptmx(kernel.vfs.devices, lambda: kernel.clock.now_ns, self.jobs)
        kernel.serial.received = kernel.console.receive
        kernel.traps.handlers[vectors.FIRST_ISA + COM1_IRQ] = kernel.serial.interrupt
        kernel.bringup.route_isa(COM1_IRQ)
        kernel.serial.enable_receiver()
        self._start_keyboard()

    def _start_keyboard(self) -> None:
        """Let the keyboard type at the console, whose screen stands beside it."""
        kernel = self._kernel
        kernel.keyboard.received = kernel.console.receive
        kernel.traps.handlers[vectors.FIRST_ISA + keyboard.IRQ] = kernel.keyboard.interrupt
        kernel.bringup.route_isa(keyboard.IRQ)
        kernel.keyboard.interrupt()  # what was typed before has had its interrupt

    def _mount(self, fs: FsContext) -> None:
        for name, mount in ((b"/dev", devfs.mount_devfs), (b"/proc", procfs.mount_procfs)):
            entries.mkdir(fs, name, 0o755)
            made = mount(b"", {}, self._kernel.vfs)
            self._kernel.mounts.mount(walk(fs, name), made, source=name[1:])

    async def _unpack(self, fs: FsContext, module: Module) -> None:
        """Put a module into the root: an archive's files, or the file itself by its path."""
        log = self._kernel.log.subsystem("FS")
        try:
            count = unpack(fs, module.data)
        except ValueError as error:
            log.warn(f"{module.path}: {error}; kept as a file")
            await self._keep(fs, module)
            return
        log.log(f"{module.path}: {count} files", Level.DEBUG)

    async def _keep(self, fs: FsContext, module: Module) -> None:
        name = b"/" + module.path.rsplit("/", 1)[-1].encode()
        file = await open_at(fs, name, O_CREAT | O_TRUNC | O_WRONLY, 0o755)
        buffer = BytesBuffer(module.data)
        while buffer.remaining:
            await file.write(buffer)
        file.put()

    async def spawn(
        self, path: bytes, *arguments: bytes, console: bytes = b"/dev/console"
    ) -> Process:
        """Start a program that no program has started; the first one is process 1.

        Parameters
        ----------
        console : file of its standard input, output and error

        Raises
        ------
        SysError : there is no such program, or it cannot be run
        """
        kernel = self._kernel
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        space, files = kernel.processes.new_space(), FileTable()
        try:
            start = await execution.load(
                kernel, fs, space, path, [path, *arguments], list(_ENVIRONMENT)
            )
        except SysError:
            space.release()
            raise
        process = kernel.processes.create(None, space, files, fs)
        process.limits = ResourceLimits.of_first(
            kernel.frames.statistics().total, kernel.user_layout.stack_size
        )
        process.limits.apply(space.limits, files)
        for _ in range(3):
            files.install(await open_at(fs, console, O_RDWR))
        name = path.rsplit(b"/", 1)[-1].decode("utf-8", "replace")
        thread = kernel.processes.new_thread(process, name, process.pid)
        thread.priority = kernel.profile.priority
        process.arguments, process.executable = (path, *arguments), start.executable
        process.environment = _ENVIRONMENT
        thread.frame.write(new_user_frame(start.rip, start.rsp))
        kernel.scheduler.add(thread)
        return process


def explain(error: SysError, path: str) -> str:
    """Return why a first program could not be started."""
    reason = getattr(error, "reason", None)
    return f"cannot run {path}: {reason or error}"
