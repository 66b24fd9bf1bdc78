"""The debugger's stub beside QEMU's: the same kernel, the same script, one run.

Steps and memory are asked for by a client that does nothing else; conditional breakpoints are set
with gdb itself, for it is gdb that decides who evaluates a condition: QEMU's stub leaves it to gdb,
hit by hit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pykern.bench import image
from pykern.bench.machines import RAM_MIB
from pykern.bench.rsp import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

SECONDS = 0.5
"""How long a round takes, about."""
ROUNDS = 5
"""The fastest counts; the stubs take turns, so that neither has the quieter host."""
_BLOCK = 0x80_0000
"""Address of memory that is not all zeros."""
_BLOCK_SIZE = 1 << 16
_GDB_SETTINGS = ("confirm off", "pagination off", "debuginfod enabled off", "auto-load off")
_SPENT = re.compile(r"^spent (\d+\.\d+)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One thing done on both stubs.

    Attributes
    ----------
    own, peer : how often per second; None: it cannot be done
    goal : how many times as often as the peer
    """

    name: str
    unit: str
    own: float | None
    peer: float | None
    goal: float = 1.0

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the peer's."""
        return self.own / self.peer if self.own and self.peer else None

    @property
    def reached(self) -> bool:
        """Whether the goal is met, as far as there is something to compare with."""
        if self.peer is None:
            return True
        return self.ratio is not None and self.ratio >= self.goal


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """The guest: a Multiboot image, and the address of the function it calls for ever."""

    path: Path
    work: int


@dataclasses.dataclass(frozen=True)
class _Stub:
    """A machine that stands still until a debugger comes."""

    name: str
    command: Callable[[_Kernel, Path], Sequence[str]]


def _own(kernel: _Kernel, path: Path) -> Sequence[str]:
    guest = ("--protocol", "multiboot", "--memory", f"{RAM_MIB}M", str(kernel.path))
    return (sys.executable, "-m", "pykern", "boot", "--gdb", f"unix:{path}", "-S", *guest)


def _qemu(kernel: _Kernel, path: Path) -> Sequence[str]:
    program = shutil.which("qemu-system-x86_64") or ""
    where = ("-gdb", f"unix:{path},server=on,wait=off", "-S")
    machine = ("-nodefaults", "-display", "none", "-cpu", "max", "-m", str(RAM_MIB))
    return (program, *machine, "-accel", "tcg,thread=single", *where, "-kernel", str(kernel.path))


def comparisons(directory: Path) -> Iterator[Comparison]:
    """Measure each row on both stubs, QEMU's only where it is installed.

    Raises
    ------
    BuildError : the guest cannot be built here
    """
    kernel = _build(directory)
    stubs = [_Stub("pykern", _own)]
    if shutil.which("qemu-system-x86_64"):
        stubs.append(_Stub("qemu", _qemu))
    for name, unit, goal, measure in _ROWS:
        rounds = [
            [_measured(stub, kernel, directory, measure) or 0 for stub in stubs]
            for _ in range(ROUNDS)
        ]
        best = [max(rates) or None for rates in zip(*rounds, strict=True)]
        yield Comparison(name, unit, best[0], (*best, None)[1], goal)


def line(row: Comparison) -> str:
    """Return a comparison as a line of text."""
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
    verdict = "ok" if row.reached else "NOT REACHED"
    return (
        f"{row.name:<34}{_number(row.own):>14}{_number(row.peer):>14} {row.unit:<10}"
        f"{ratio:>8} x QEMU, at least {row.goal:.0f} {verdict}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _build(directory: Path) -> _Kernel:
    built = image.build("debugged", "debugged.S", directory)
    path = directory / "debugged.multiboot"
    path.write_bytes(built.patched(1))
    listing = subprocess.run(
        ("nm", str(directory / "debugged.elf")), capture_output=True, text=True, check=True
    ).stdout
    work = next(words for words in map(str.split, listing.splitlines()) if words[-1] == "work")
    return _Kernel(path, int(work[0], 16))


def _measured(
    stub: _Stub, kernel: _Kernel, directory: Path, measure: Callable[[_Kernel, Path], float | None]
) -> float | None:
    """Start a machine, and measure one thing with it."""
    path = directory / f"{stub.name}.sock"
    path.unlink(missing_ok=True)
    process = subprocess.Popen(
        stub.command(kernel, path), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return measure(kernel, path)
    finally:
        process.kill()
        process.wait()


# -- without gdb


@contextlib.contextmanager
def _at_work(kernel: _Kernel, path: Path) -> Generator[Client]:
    """Give a client whose machine stands at the function that is called for ever."""
    client = Client(path)
    client.ask(b"?")
    client.ask(b"Hg0")
    place = b"0,%x,1" % kernel.work
    client.ask(b"Z" + place)
    for _ in range(3):
        client.ask(b"c")
        client.ask(b"z" + place)
        client.ask(b"s")
        client.ask(b"Z" + place)
    client.ask(b"z" + place)
    try:
        yield client
    finally:
        client.close()


def _per_second(action: Callable[[], float]) -> float:
    """Repeat something for a while; return its rate: what it says it has done, per second."""
    action()
    done, begin = 0.0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < SECONDS:
        done += action()
    return done / spent


def _steps(kernel: _Kernel, path: Path) -> float:
    def step() -> float:
        reply = client.ask(b"vCont;s:1;c")
        if not reply.startswith(b"T05"):
            raise ConnectionError(f"a step ended with {reply[:60]!r}")
        return 1

    with _at_work(kernel, path) as client:
        return _per_second(step)


def _stops(kernel: _Kernel, path: Path) -> float:
    """Stop at a breakpoint and go on, as gdb does it: take it out, step, put it in."""

    def stop() -> float:
        for request in (b"z" + place, b"vCont;s:1", b"Z" + place):
            client.ask(request)
        return float(client.ask(b"vCont;c").startswith(b"T05"))

    place = b"0,%x,1" % kernel.work
    with _at_work(kernel, path) as client:
        client.ask(b"Z" + place)
        client.ask(b"vCont;c")
        return _per_second(stop)


def _registers(kernel: _Kernel, path: Path) -> float:
    with _at_work(kernel, path) as client:
        return _per_second(lambda: float(len(client.ask(b"g")) > 0))


def _small_reads(kernel: _Kernel, path: Path) -> float:
    with _at_work(kernel, path) as client:
        return _per_second(lambda: len(client.ask(b"m%x,8" % kernel.work)) / 16)


def _memory(kernel: _Kernel, path: Path) -> float:
    with _at_work(kernel, path) as client:
        return _throughput(client, b"m", 2)


def _binary_memory(kernel: _Kernel, path: Path) -> float:
    """Read as gdb of version 16 and later does, where the stub can do it."""
    with _at_work(kernel, path) as client:
        if "binary-upload+" not in client.features:
            return _throughput(client, b"m", 2)
        return _throughput(client, b"x", 1)


def _throughput(client: Client, letter: bytes, digits: int) -> float:
    """Return MB/s of memory in packets as large as the stub allows."""
    largest = next(f for f in client.features if f.startswith("PacketSize="))
    piece = (int(largest.partition("=")[2], 16) - 16) // 2
    _fill(client, piece)

    def read() -> float:
        done = 0
        while done < _BLOCK_SIZE:
            size = min(piece, _BLOCK_SIZE - done)
            reply = client.ask(b"%b%x,%x" % (letter, _BLOCK + done, size))
            got = len(reply) // 2 if digits == 2 else len(reply) - 1
            if got != size:
                raise ConnectionError(f"{got} bytes of {size} at {_BLOCK + done:#x}")
            done += size
        return done / 1e6

    return _per_second(read)


def _fill(client: Client, piece: int) -> None:
    """Write what does not shrink."""
    content = random.Random(1).randbytes(_BLOCK_SIZE)
    for at in range(0, _BLOCK_SIZE, piece // 2):
        part = content[at : at + piece // 2]
        client.ask(b"M%x,%x:%b" % (_BLOCK + at, len(part), part.hex().encode()))


# -- with gdb


def _conditional(kernel: _Kernel, path: Path) -> float | None:
    """Let a condition be false, so and so often, and return how often per second."""
    program = os.environ.get("PYKERN_GDB") or shutil.which("gdb")
    if program is None:
        return None
    Client(path).close()
    hits, spent = 500, 0.0
    for _ in range(8):
        spent = _gdb_seconds(program, kernel, path, hits)
        if spent >= SECONDS / 2:
            break
        hits = int(hits * min(max(1.2 * SECONDS / max(spent, 1e-3), 2), 64))
    return hits / spent


def _gdb_seconds(program: str, kernel: _Kernel, path: Path, hits: int) -> float:
    """Return how long gdb takes to a breakpoint whose condition holds after so many hits."""
    begin = "python import time; begin = time.perf_counter()"
    end = "python print('spent %.6f' % (time.perf_counter() - begin))"
    script = (
        *(f"set {setting}" for setting in _GDB_SETTINGS), f"target remote {path}",
        f"hbreak *{kernel.work:#x}", "continue", "delete", "set $rcx = 0",
        f"hbreak *{kernel.work:#x} if $rcx == {hits}", begin, "continue", end, "delete", "detach",
    )  # fmt: skip
    command = [program, "-nx", "-q", "-batch"]
    for words in script:
        command += ["-ex", words]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = _SPENT.search(said.stdout)
    if found is None:
        raise ConnectionError(f"gdb said {said.stdout[-300:]!r}, {said.stderr[-300:]!r}")
    return float(found[1])


_ROWS = (
    ("conditional breakpoint, false", "hits/s", 100.0, _conditional),
    ("single steps", "1/s", 1.0, _steps),
    ("stops at a breakpoint", "1/s", 1.0, _stops),
    ("general registers (g)", "1/s", 1.0, _registers),
    ("8 bytes of memory (m)", "1/s", 1.0, _small_reads),
    ("memory, hexadecimal (m)", "MB/s", 1.0, _memory),
    ("memory, binary (x; QEMU: m)", "MB/s", 1.0, _binary_memory),
)
