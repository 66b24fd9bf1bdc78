"""The file layer as a whole: initial files, /dev and /proc, and programs of the host that read it.

busybox of the host runs in a copy of our tree: what it makes of our /proc shows whether the formats
are those of Linux. Cites MEL-16, MEL-51.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pykern.kernel.fs import entries
from pykern.kernel.fs.char_devices import KernelLog, add_kernel_log, add_memory_devices
from pykern.kernel.fs.context import FsContext, Vfs
from pykern.kernel.fs.initramfs import unpack
from pykern.kernel.fs.job_control import NoJobs
from pykern.kernel.fs.mount import Mounts
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.proc_system import (
    CpuInfo,
    CpuTimes,
    InterruptLine,
    MemoryInfo,
    SystemStat,
    format_cpuinfo,
    format_filesystems,
    format_interrupts,
    format_loadavg,
    format_meminfo,
    format_mounts,
    format_stat,
    format_uptime,
)
from pykern.kernel.fs.table import FileTable
from pykern.kernel.fs.tty import Tty, add_console, add_tty
from pykern.kernel.fs.types import types
from tests.pykern.kernel.fs.harness import Kernel, read, run, write
from tests.pykern.kernel.fs.processes import Processes
from tests.pykern.kernel.fs.test_initramfs import INIT

SECOND = 1_000_000_000
MEMORY = MemoryInfo(512 << 20, 300 << 20, cached=20 << 20, shared=4 << 20)
CPUS = [
    CpuInfo(
        number, "GenuineIntel", 6, 158, 10, "Some CPU", 2400.0, 8192, number, 2, ["fpu", "sse2"]
    )
    for number in range(2)
]
TIMES = [CpuTimes(user=3 * SECOND, system=SECOND, idle=96 * SECOND)] * 2


class Booted(Kernel):
    """A kernel after it has mounted everything, and a process with three descriptors."""

    def __init__(self):
        self.ns = 1_700_000_000 * SECOND
        self.vfs = Vfs(lambda: self.ns)
        self.screen = bytearray()
        self.log = KernelLog(lambda: 5)
        self.tty = Tty("ttyS0", (4, 64), self.screen.extend, lambda: self.ns, NoJobs())
        add_memory_devices(self.vfs.devices, random.Random(1).randbytes)
        add_kernel_log(self.vfs.devices, self.log)
        add_tty(self.vfs.devices, self.tty)
        add_console(self.vfs.devices, self.tty)
        self.mounts = Mounts(types.get("tmpfs")(b"rootfs", {"mode": "755"}, self.vfs))
        self.ctx = FsContext.at_root(self.vfs, self.mounts)
        unpack(self.ctx, INIT)
        for name, path in (("devtmpfs", b"/dev"), ("proc", b"/proc"), ("tmpfs", b"/tmp")):
            entries.mkdir(self.ctx, path, 0o755)
            fs = types.get(name)(b"none", {}, self.vfs)
            self.mounts.mount(walk(self.ctx, path), fs, source=name.encode())
        self.files = FileTable()
        self.files.install(run(open_at(self.ctx, b"/dev/console", 2)))
        self.files.dup(0)
        self.files.dup(0)
        self.vfs.proc.processes = Processes(self, self.files)
        self._register(self.vfs.proc.add)

    def _register(self, add):
        add("meminfo", lambda: format_meminfo(MEMORY))
        add("cpuinfo", lambda: format_cpuinfo(CPUS))
        add("uptime", lambda: format_uptime(100 * SECOND, 192 * SECOND))
        add("loadavg", lambda: format_loadavg([0.5, 0.25, 0.125], 1, 3, 7))
        add("stat", lambda: format_stat(SystemStat(TIMES, 1000, 500, 1_700_000_000, 8, 1)))
        add("version", lambda: "Linux version 6.1.0 (pykern)\n")
        add("mounts", lambda: format_mounts(self.ctx))
        add("filesystems", lambda: format_filesystems(types.names()))
        add("cmdline", lambda: "console=ttyS0\n")
        add(
            "interrupts",
            lambda: format_interrupts([InterruptLine("LOC", [7, 8], "Local timer interrupts")], 2),
        )


@pytest.fixture
def kernel():
    return Booted()


def test_descriptors_of_the_first_process_are_the_console(kernel):
    write(kernel.files.get(1), b"hello\n")
    kernel.tty.receive(b"typed\r")
    assert read(kernel.files.get(0)) == b"typed\n"
    assert bytes(kernel.screen) == b"hello\r\ntyped\r\n"
    assert walk(kernel.ctx, b"/proc/self/fd/2", follow=False).inode.readlink() == b"/dev/console"
    write(kernel.open(b"/dev/stdout", 1), b"again\n")
    assert bytes(kernel.screen).endswith(b"again\r\n")


def test_everything_is_mounted(kernel):
    assert kernel.read(b"/proc/mounts").decode().splitlines() == [
        "rootfs / tmpfs rw 0 0",
        "devtmpfs /dev devtmpfs rw 0 0",
        "proc /proc proc rw 0 0",
        "tmpfs /tmp tmpfs rw 0 0",
    ]
    assert (
        kernel.read(b"/proc/filesystems")
        == "".join(f"nodev\t{name}\n" for name in types.names()).encode()
    )


# --- programs of the host ------------------------------------------------------------------------


def copy_out(kernel, source: bytes, target: Path) -> None:
    """Copy a tree of ours to the host; links stay links, devices are left out."""
    for entry in walk(kernel.ctx, source).inode.entries():
        path, there = source.rstrip(b"/") + b"/" + entry.name, target / entry.name.decode()
        inode = walk(kernel.ctx, path, follow=False).inode
        if inode.is_symlink():
            if entry.name not in {b"exe", b"cwd", b"root", b"thread-self"}:
                there.symlink_to(inode.readlink().decode())
        elif inode.is_directory():
            there.mkdir()
            copy_out(kernel, path, there)
        elif inode.is_regular():
            there.write_bytes(kernel.read(path))


@pytest.fixture
def busybox(kernel, tmp_path):
    """Return a function that runs an applet with our /proc."""
    program = shutil.which("busybox")
    if sys.platform != "linux" or program is None or not shutil.which("unshare"):
        pytest.skip("needs busybox and unshare of a Linux host")
    (tmp_path / "proc").mkdir()
    copy_out(kernel, b"/proc", tmp_path / "proc")
    shutil.copy(program, tmp_path / "busybox")

    def applet(*arguments: str) -> str:
        command = ["unshare", "-r", "chroot", str(tmp_path), "/busybox", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if "unshare" in result.stderr or "chroot" in result.stderr:
            pytest.skip(f"the host lets nobody chroot: {result.stderr}")
        assert result.stderr == ""
        return result.stdout

    return applet


def test_ps_lists_our_processes(busybox):
    lines = busybox("ps", "-o", "pid,ppid,pgid,sid,comm,stat,vsz,rss,nice,tty,args")
    rows = sorted(line.split() for line in lines.splitlines()[1:])
    assert rows[0] == "1 0 1 1 init S 1024 68 0 4,64 init --verbose".split()
    assert rows[1] == "7 1 7 1 dead Z 0 0 0 ? [dead]".split()


def test_top_shows_memory_and_processes(busybox):
    screen = busybox("top", "-b", "-n", "1")
    assert r"Mem: 217088K used, 307200K free, 4096K shrd, 0K buff, 20480K cached" in screen
    assert re.search(r"Load average: 0.50 0.25 0.1[23] 1/3 7", screen)
    assert re.search(r"^ +1 +0 .* S +1024 .* init --verbose$", screen, re.MULTILINE)


def test_processes_are_found_by_name(busybox):
    assert busybox("pidof", "init").split() == ["1"]


def test_free_counts_what_is_available(busybox):
    """The totals come from sysinfo(), thus from the host; what is cached comes from our file."""
    assert busybox("free").splitlines()[1].split()[-1] == str(MEMORY.available >> 10)


def test_mount_lists_our_mounts(busybox):
    assert busybox("mount").splitlines()[2] == "proc on /proc type proc (rw)"


# --- the host's own /proc ------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")


def host(path: str) -> str:
    return (Path("/proc") / path).read_text(encoding="utf-8")


def shape(text: str) -> str:
    """Return a text with every number replaced."""
    return re.sub(r"[0-9a-f]*\d[0-9a-f]*", "0", text)


@linux
def test_lines_have_the_shape_of_the_hosts(kernel):
    for path in ("uptime", "loadavg"):
        ours = kernel.read(b"/proc/" + path.encode()).decode()
        assert shape(ours) == shape(host(path))
    ours = kernel.read(b"/proc/stat").decode().splitlines()
    theirs = host("stat").splitlines()
    assert len(ours[0].split()) == len(theirs[0].split())
    assert {line.split()[0] for line in ours} - {"cpu1"} <= {line.split()[0] for line in theirs}


@linux
@pytest.mark.parametrize("path", ["meminfo", "1/status", "cpuinfo"])
def test_keys_are_those_of_the_host(kernel, path):
    def rows(text):
        return dict(re.findall(r"^([^:\n]+:)[ \t]*(.*)$", text, re.MULTILINE))

    ours = rows(kernel.read(b"/proc/" + path.encode()).decode())
    theirs = rows(host(path.replace("1/", "self/")))
    assert ours.keys() - theirs.keys() <= ({"cpu MHz:", "cache size:"} if "cpu" in path else set())
    units = {key for key, value in ours.items() if value.endswith("kB")}
    assert {key for key in units if key in theirs and not theirs[key].endswith("kB")} == set()


@linux
def test_a_process_has_the_fields_of_the_host(kernel):
    for name in ("stat", "statm"):
        ours, theirs = kernel.read(b"/proc/1/" + name.encode()).decode(), host(f"self/{name}")
        assert len(ours.split()) == len(theirs.split())
    pattern = re.compile(r"[0-9a-f]{8,16}-[0-9a-f]{8,16} [r-][w-][x-][ps] [0-9a-f]{8} .{5} \d+ *")
    for text in (kernel.read(b"/proc/1/maps").decode(), host("self/maps")):
        named = [line for line in text.splitlines() if len(line) > 73]
        assert all(pattern.match(line) for line in text.splitlines())
        assert named
        assert all(line[72] == " " and line[73] in "/[" for line in named)
