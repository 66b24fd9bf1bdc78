"""Processes as /proc asks for them: number 1 with two threads, number 7 a zombie."""

from __future__ import annotations

from pykern.kernel.fs.path import walk
from pykern.kernel.fs.proc_process import ProcessInfo
from pykern.kernel.fs.table import FileTable

INIT = ProcessInfo(
    pid=1, comm="init", state="S", ppid=0, pgid=1, sid=1, threads=2, tty=0x440, tpgid=1,
    utime_ns=1_230_000_000, stime_ns=40_000_000, start_ns=2_000_000_000, vsize=1 << 20, rss=17,
    shared=2, data=8192, stack=12288, text=4096, caught=0x4002, blocked=0x10000, cpus=0b1011,
    fd_size=64, voluntary_switches=3, involuntary_switches=4,
)  # fmt: skip
ZOMBIE = ProcessInfo(pid=7, comm="dead", state="Z", ppid=1, pgid=7, sid=1)


MAPS = """\
00400000-00401000 r-xp 00000000 08:01 12                                 /bin/init
10000000-10001000 rw-p 00000000 00:00 0 
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
"""  # noqa: W291 - as Linux has it


class View:
    def __init__(self, info: ProcessInfo, files: FileTable | None, links):
        self.numbers = info
        self.files = files
        self.links = links

    def info(self, tid=None):
        return self.numbers

    def tids(self):
        return [1, 2] if self.numbers.pid == 1 else [self.numbers.pid]

    def maps(self):
        return MAPS if self.files is not None else ""

    def cmdline(self):
        return b"init\0--verbose\0" if self.files is not None else b""

    def environ(self):
        return b"HOME=/\0" if self.files is not None else b""

    def link(self, name):
        return self.links.get(name)


class Processes:
    def __init__(self, kernel, files: FileTable | None = None):
        root = walk(kernel.ctx, b"/")
        links = {"cwd": (b"/", root), "root": (b"/", root)}
        # `len` of an empty table is 0, which must not be taken for none.
        files = FileTable() if files is None else files
        self.views = {1: View(INIT, files, links), 7: View(ZOMBIE, None, {})}
        self.caller: tuple[int, int] | None = (1, 2)

    def pids(self):
        return list(self.views)

    def get(self, pid):
        return self.views.get(pid)

    def current(self):
        return self.caller
