"""What a machine costs its host before a guest does anything, while it idles, and to be built.

Timed here and not in the tests, because a figure of time says something about a quiet host only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOUR_NS = 3600 * 10**9
_ROOT = Path(__file__).resolve().parents[2]
_TOUCHED = "pykern_c/isa/bcd.pxd"
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") >> 10
_SAMPLE_SECONDS = 0.2

_START = """
import time
before = time.perf_counter()
import pykern_c
machine = pykern_c.Machine(512 << 20)
spent = time.perf_counter() - before
with open("/proc/self/statm") as statm:
    print(spent, statm.read().split()[1])
"""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured quantity beside the most that it should be."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether it stays below the limit."""
        return self.value < self.limit


def figures(*, build: bool) -> Iterator[Figure]:
    """Measure; with `build` also compile the extension, which takes minutes."""
    yield from _start()
    yield _idle()
    if build:
        yield from _build()


def line(figure: Figure) -> str:
    """Return a figure as a line of the table."""
    verdict = "" if figure.reached else "   MISSED"
    value = f"{figure.value:10.3f} {figure.unit}"
    return f"{figure.name:<44} {value:<16} below {figure.limit:g} {figure.unit}{verdict}"


def _start(runs: int = 5) -> Iterator[Figure]:
    """Import the core and make a machine, each time in a new interpreter."""
    seconds, kib = [], []
    for _ in range(runs):
        output = subprocess.run([sys.executable, "-c", _START], check=True, capture_output=True)
        spent, pages = output.stdout.split()
        seconds.append(float(spent))
        kib.append(int(pages) * _PAGE_KIB)
    yield Figure("import pykern_c, Machine of 512 MiB: time", min(seconds), 0.1, "s")
    yield Figure("import pykern_c, Machine of 512 MiB: resident", max(kib) / 1024, 40, "MiB")


def _idle() -> Figure:
    """Let a guest wait for interrupts on a whole board, whose timer ticks as a BIOS leaves it."""
    from pykern.machine import boot
    from pykern.machine.computer import Computer, Image, MachineConfig
    from pykern_c import Machine

    waits = b"\xfb\xf4\xeb\xfc".ljust(510, b"\0") + b"\x55\xaa"  # sti; hlt; back to sti
    computer = Computer(MachineConfig(memory=32 << 20), Machine)
    computer.start(Image(waits, boot.PROTOCOLS["bootsector"], boot.BootOptions()))
    before = time.process_time()
    computer.machine.run(until_ns=HOUR_NS)
    spent = time.process_time() - before
    return Figure("an idle guest, 18.2 ticks/s: load of the host", spent / 36, 0.1, "%")


def _build() -> Iterator[Figure]:
    """Compile a copy of the tree: all of it, then the debug build again after one instruction."""
    if not (_ROOT / "setup.py").exists():
        raise FileNotFoundError(f"{_ROOT}: no setup.py; --build needs a checkout")
    with tempfile.TemporaryDirectory(prefix="pykern-build-") as directory:
        tree = Path(directory) / "tree"
        outputs = shutil.ignore_patterns("build", "_generated", "*.so", ".*", "__pycache__")
        shutil.copytree(_ROOT, tree, ignore=outputs)
        before = _processor_seconds()
        seconds, mib = _compile(tree, {})
        yield Figure("full rebuild: time", seconds / 60, 5, "min")
        spent = _processor_seconds() - before
        yield Figure("full rebuild: processor time", spent / 60, 10, "min")
        yield Figure("full rebuild: resident, all processes", mib / 1024, 3, "GiB")
        debug = {"PYKERN_BUILD": "debug"}
        _compile(tree, debug)
        (tree / _TOUCHED).touch()
        seconds, _ = _compile(tree, debug)
        yield Figure("debug build after touching one instruction", seconds / 60, 1, "min")


def _processor_seconds() -> float:
    """Return what all children so far have used: on a busy host it says more than the time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _compile(tree: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Run setup.py; return seconds and the most MiB that its processes had at once."""
    before = time.perf_counter()
    command = [sys.executable, "setup.py", "build_ext", "--inplace", "-j2"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=tree, env={**os.environ, **environment}, stdout=log, stderr=log
        )
        peak = _Peak(process.pid)
        peak.start()
        status = process.wait()
        peak.stop()
        if status:
            log.seek(0)
            raise subprocess.CalledProcessError(status, command, log.read()[-2000:])
    return time.perf_counter() - before, peak.kib / 1024


class _Peak(threading.Thread):
    """Watches the resident memory of a process and its descendants."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.kib = 0
        self._root = root
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.kib = max(self.kib, sum(_resident_kib(pid) for pid in _family(self._root)))

    def stop(self) -> None:
        """End; the largest single child may have lived between two samples."""
        self._ended.set()
        self.join()
        self.kib = max(self.kib, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _family(root: int) -> list[int]:
    """Return a process and all its descendants."""
    family, waiting = [], [root]
    while waiting:
        family.append(pid := waiting.pop())
        with contextlib.suppress(OSError):  # it has ended since
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
    return family


def _resident_kib(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB
    except OSError:  # it has ended since
        return 0
