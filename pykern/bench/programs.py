"""The programs of the benchmark and what they are to reach."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAP = 0x400000
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Program:
    """One guest program.

    Attributes
    ----------
    name, group : str
        Name on the command line; key of `GROUPS`.
    source : str
        File in ``guests/``.
    iterations : int
        Smallest run that is measured; its checksum is compared between machines.
    arguments : tuple of int
        Patched into the image.
    flags : tuple of str
        Further compiler flags.
    events : int
        Ring switches, interrupts, … of one iteration; 0 where there is nothing to count.
    bytes : int
        Bytes that one iteration moves or stores; such a program is measured in GB/s.
    """

    name: str
    group: str
    source: str
    iterations: int
    arguments: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    events: int = 0
    bytes: int = 0


@dataclasses.dataclass(frozen=True)
class Group:
    """What the programs of one kind are to reach.

    Attributes
    ----------
    title : str
        For the report.
    times_bochs : float
        Least speed as a multiple of Bochs' in the same run; 0 asks for nothing.
    mean : bool
        Whether that is asked of the geometric mean (else of each program).
    bytes_per_second : float
        Least rate of each program; 0 asks for nothing.
    """

    title: str
    times_bochs: float = 0.0
    mean: bool = False
    bytes_per_second: float = 0.0


GROUPS = {
    "loops": Group("integer and memory loops", times_bochs=8.0, mean=True),
    "large": Group("1,500 functions called at random", times_bochs=4.0),
    "calls": Group("calls and returns"),
    "float": Group("SSE2 and x87 loops", times_bochs=3.0),
    "system": Group("ring switches, interrupts, faults, context switches", times_bochs=3.0),
    "bulk": Group("string instructions in bulk", bytes_per_second=1e9),
    "short": Group("string instructions on short blocks"),
}

_GENERAL = ("-mgeneral-regs-only",)
_OPERATIONS = {
    "movsb": (0, 1),
    "movsq": (1, 8),
    "stosb": (2, 1),
    "stosq": (3, 8),
    "movsb-down": (4, 1),
}
_DISTANCES = {
    "movsb": {
        "1": 1,
        "-1": -1,
        "64": 64,
        "4K": 4096,
        "64K": 65536,
        "1M": MIB,
        "16M": 16 * MIB,
        "1M+4161": MIB + 4161,
    },
    "movsq": {"8": 8, "4K": 4096, "1M": MIB, "16M": 16 * MIB, "1M+4168": MIB + 4168},
    "movsb-down": {"1M": MIB},
    "stosb": {"0": 0},
    "stosq": {"0": 0},
}


def _bulk(operation: str, label: str, distance: int, size: int = MIB) -> Program:
    code, width = _OPERATIONS[operation]
    source = HEAP + 4096
    if operation.endswith("down"):
        source += size - 1
    return Program(
        name=f"{operation}:{label}" if distance else operation,
        group="bulk" if size >= MIB else "short",
        source="bulk.S",
        iterations=20 if size >= MIB else 100000,
        arguments=(code, source, source + distance, size // width),
        bytes=size,
    )


def _strings() -> Iterator[Program]:
    for operation, distances in _DISTANCES.items():
        for label, distance in distances.items():
            yield _bulk(operation, label, distance)
    yield _bulk("movsb", "64-bytes", MIB + 192, size=64)
    yield _bulk("movsq", "64-bytes", MIB + 192, size=64)


PROGRAMS = (
    Program("arith", "loops", "arith.c", 20, flags=_GENERAL),
    Program("sieve", "loops", "sieve.c", 8, flags=_GENERAL),
    Program("sha256", "loops", "sha256.c", 40, flags=_GENERAL),
    Program("bytecode", "loops", "bytecode.c", 25, flags=_GENERAL),
    Program("strings", "loops", "strings.c", 100, flags=_GENERAL),
    Program("matmul", "loops", "matmul.c", 20, flags=_GENERAL),
    Program("functions", "large", "functions.S", 5),
    Program("fib", "calls", "fib.S", 150),
    Program("mandelbrot", "float", "mandelbrot.c", 15),
    Program("dot", "float", "dot.c", 500),
    Program("x87", "float", "x87.c", 300),
    Program("syscall", "system", "syscall.S", 400, events=1000),
    Program("int80", "system", "int80.S", 400, events=1000),
    Program("interrupt", "system", "interrupt.S", 300, events=1000),
    Program("pagefault", "system", "pagefault.S", 200, events=640),
    Program("switch", "system", "switch.S", 30, events=1000),
    *_strings(),
)
