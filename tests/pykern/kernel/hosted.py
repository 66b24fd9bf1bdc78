"""A computer with the hosted kernel in it, and host Linux beside it as the oracle.

A guest program is compiled once, statically, and the same file runs on both.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from images import cpio
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_RDONLY
from pykern.kernel.fs.open import open_at
from pykern.kernel.host import KernelHost
from pykern.machine.board import BoardOptions
from pykern.machine.boot import PROTOCOLS, BootModule, BootOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern.machine.media import DiskImage
from pykern.machine.session import Outcome, Session
from pykern_c import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pykern.kernel.kernel import Kernel

GUESTS = Path(__file__).parent / "guests"
MIB = 1 << 20
NS_PER_S = 1_000_000_000
ENVIRONMENT = {"PATH": "/bin", "LC_ALL": "C", "HOME": "/"}
C_FLAGS = ("-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-march=x86-64", "-pthread")
_ARGUMENT_END, _COMMAND_END = "\x1f", "\x1e"


class Keyboard:
    """What is typed at the serial console, each text at its virtual time."""

    def __init__(self, typed: Sequence[tuple[int, bytes]] = ()) -> None:
        self.typed = list(typed)
        self.machine: Machine | None = None

    def read(self) -> bytes:
        """Return what has been typed by now."""
        out = b""
        while self.typed and self.machine is not None and self.typed[0][0] <= self.machine.now:
            out += self.typed.pop(0)[1]
        return out

    def wait(self, seconds: float | None) -> bool:
        """Tell that nobody types any more."""
        del seconds
        return False


@dataclass
class System:
    """A machine with a kernel that a session can run.

    Attributes
    ----------
    log : what came out of the serial port
    outcome : how the run ended; None: it was not run yet
    """

    computer: Computer
    host: KernelHost
    image: Image
    session: Session
    keyboard: Keyboard
    serial: bytearray = field(default_factory=bytearray)
    outcome: Outcome | None = None

    @property
    def kernel(self) -> Kernel:
        return self.host.kernel

    @property
    def machine(self) -> Machine:
        return self.computer.machine

    @property
    def log(self) -> str:
        return self.serial.decode("utf-8", "replace").replace("\r\n", "\n")

    def run(self) -> System:
        """Run to power-off, panic or the virtual timeout."""
        self.outcome = self.session.run()
        return self

    def run_until(self, text: str) -> System:
        """Run until a text has come out of the serial port."""
        while text not in self.log:
            session, before = self.session, self.machine.now
            session.timeout_ns = before + NS_PER_S // 20
            if self.outcome is not None:
                session.start = lambda: None
            self.outcome = session.run()
            assert self.machine.now > before, self.log
            assert self.machine.now < 60 * NS_PER_S, self.log
        return self

    def file(self, path: str) -> bytes:
        """Return the contents of a file of the kernel."""
        return read_file(self.kernel, path)


def read_file(kernel: Kernel, path: str, size: int | None = None) -> bytes:
    """Return a file's contents, at most `size` bytes: those of /proc do not know their size."""
    fs = FsContext.at_root(kernel.vfs, kernel.mounts)
    file = _finished(open_at(fs, path.encode(), O_RDONLY))
    buffer = BytesBuffer(size=file.inode.size if size is None else size)
    while buffer.remaining and _finished(file.read(buffer)):
        pass
    file.put()
    return buffer.done


def _finished(coroutine):
    """Return the result of a coroutine that does not sleep."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a file of the kernel made its reader sleep")


def make(
    kernel_image: bytes,
    *,
    files: Mapping[str, bytes] | None = None,
    modules: Sequence[tuple[str, bytes]] = (),
    cpus: int = 1,
    memory: int = 64 * MIB,
    command_line: str = "",
    timeout_ns: int = 30 * NS_PER_S,
    typed: Sequence[tuple[int, bytes]] = (),
    seed: int = 0,
    disks: Sequence[Path] = (),
) -> System:
    """Return a system with files in its root, ready to run.

    Parameters
    ----------
    files : path → contents; all may be executed
    modules : path and contents of what is loaded beside them
    typed : (virtual time in ns, bytes), what arrives at the serial console
    disks : images of its IDE drives
    """
    serial = bytearray()
    media = [DiskImage(path) for path in disks]
    board = BoardOptions(com1=serial.extend, disks=media)
    config = MachineConfig(cpus, memory, seed=seed, board=board)
    computer = Computer(config, Machine)
    members = [cpio.Member(path, data, 0o100755) for path, data in (files or {}).items()]
    boot_modules = [BootModule("/initrd", cpio.archive(members, 1)), *_modules(modules)]
    image = Image(
        kernel_image,
        PROTOCOLS["limine"],
        BootOptions(name="/pykern.elf", command_line=command_line, modules=tuple(boot_modules)),
    )
    host, keyboard = KernelHost(computer.machine), Keyboard(typed)
    keyboard.machine = computer.machine

    def start() -> None:
        host.reset()
        computer.start(image)

    session = Session(
        machine=computer.machine,
        start=start,
        send=computer.board.com1.receive,
        console=keyboard,
        timeout_ns=timeout_ns,
        reboot=False,
        hostcall=host.hostcall,
    )
    return System(computer, host, image, session, keyboard, serial)


def _modules(modules: Sequence[tuple[str, bytes]]) -> list[BootModule]:
    return list(starmap(BootModule, modules))


# -- programs


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="guests")


@functools.cache
def compiled(name: str, *flags: str) -> Path:
    """Compile a program of `guests/` for host and guest; skip where that is not possible."""
    source = GUESTS / name
    program = Path(_folder().name) / "".join([source.stem, *flags])
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this host")
    command = ["gcc", *C_FLAGS, "-static", *flags, "-I", str(GUESTS), str(source), "-o"]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)
    if "cannot find -lc" in done.stderr:
        pytest.skip("no static C library on this host")
    assert not done.returncode, done.stderr
    return program


class Result(NamedTuple):
    """What a program has written, and its wait status (negative: the signal that ended it)."""

    stdout: bytes
    status: int


def on_host(program: Path, arguments: Sequence[str], files: Mapping[str, bytes]) -> Result:
    """Run a program on host Linux, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder) / name
            path.write_bytes(data)
            path.chmod(0o755)
        done = subprocess.run(
            list(arguments),
            executable=program,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            env=ENVIRONMENT,
            timeout=30,
            check=False,
            start_new_session=True,
        )
    return Result(done.stdout, done.returncode)


def batch(
    kernel_image: bytes,
    commands: Sequence[Sequence[str]],
    programs: Mapping[str, bytes],
    files: Mapping[str, bytes],
    **options: object,
) -> System:
    """Return a system that will run commands one after the other, and then turn itself off.

    Parameters
    ----------
    commands : program's path and arguments
    programs : path → ELF file
    files : of the folder `/work` that the commands run in
    """
    text = "".join(
        "".join(word + _ARGUMENT_END for word in command) + _COMMAND_END for command in commands
    )
    everything = {
        "/sbin/init": compiled("init.c").read_bytes(),
        "/commands": text.encode(),
        **programs,
        **{f"/work/{name}": data for name, data in files.items()},
        "/work/.keep": b"",
        "/out/.keep": b"",
    }
    return make(kernel_image, files=everything, **options)


def results(system: System, count: int) -> list[Result]:
    """Return what the commands of a batch that was run have done."""
    assert system.outcome is not None
    assert (system.outcome.status, system.outcome.lines) == (0, ()), system.log
    return [
        Result(system.file(f"/out/{n}"), _status(int(system.file(f"/out/{n}.status"))))
        for n in range(count)
    ]


def _status(wait_status: int) -> int:
    """Return a wait status as `subprocess` has it."""
    return os.waitstatus_to_exitcode(wait_status)


def idle_system(kernel_image: bytes, **options: object) -> System:
    """Return a system that was run until its first program waits for a key."""
    files = {"/sbin/init": compiled("waiting.c").read_bytes()}
    return make(kernel_image, files=files, **options).run_until("waiting")
