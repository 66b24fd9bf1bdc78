"""Which row of the five feature lists which tests show: `python -m tests.rows > docs/rows.md`.

A docstring of a test, or of its file, names the rows that it shows. A row that is left for later
says so here. A test compares the page with what this module makes of the tests.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = {
    "MEL": (
        "several processors", "ACPI MADT", "starting processors", "queues and balancing",
        "inter-processor interrupts", "locks", "per-CPU data", "messages between processors",
        "local APIC", "APIC timer", "three priorities", "int 0x80, five calls", "256 ports",
        "sleep and wake", "first program", "metrics", "preemption control", "preemption",
        "round robin", "context switch", "thread control block", "stacks", "states of threads",
        "page frames", "paging", "buddy heap", "NX, WP, guards", "memory statistics", "ISO images",
        "framebuffer", "COM1", "panic", "boot log", "log of system calls", "log levels", "spawn",
        "two programs that talk", "memory layout", "vectors", "performance", "six SMP tests",
        "six older tests", "presets", "commands", "continuous integration", "documents", "ring 3",
        "isolation of processes", "ELF", "pointers from programs", "files", "network", "drivers",
        "fair and real-time scheduling", "demand paging and swap", "NUMA and affinity", "toolchain",
    ),
    "SCA": (
        "virtual memory", "its functions", "heap", "heap's size", "128 priorities", "bands",
        "scheduler's functions", "ports", "structure of messages", "their functions",
        "SYSCALL and SYSRET", "system calls", "memory layout", "thread control block",
        "address spaces", "performance", "command line", "boot log", "its tests", "all of it",
        "several processors", "slabs", "copy-on-write, shared memory, mapped files",
        "capabilities", "HPET, precise sleep", "interrupt threads", "locks", "size of the code",
    ),
    "MIC": (
        "round robin", "eight tasks", "cost of a switch", "messages a second",
        "fewer page faults by LRU", "isolation", "boot loader", "initialisation",
        "messages by pid", "demand paging", "ELF", "kernel.bin and initrd.img", "command line",
        "gdb", "three demonstrations", "packages", "PCI, signed programs, USB",
        "FAT32, dynamic linking, frame for drivers",
    ),
    "RMP": (
        "page frames", "NUMA", "recursive paging", "ARM's page tables", "three sizes of pages",
        "heap", "processes", "threads", "context switch", "five priorities, MLFQ",
        "nine system calls", "x86-64: IDT, PIC, timer", "five smoke tests", "usage example",
        "copy-on-write, TLS, power and more",
    ),
    "MYR": (
        "milestone 0", "milestone 1", "milestone 2", "Limine ISO", "W^X", "exceptions",
        "page frames", "virtual memory, heap", "PML4 template", "U=1 at all levels", "TLB",
        "GDT and TSS", "IRETQ", "SYSCALL and SYSRET", "isolation", "cooperative threads",
        "memory layout", "13 steps", "gdb", "boot log", "position independence",
        "cost of a system call", "processes, signals, files", "devices", "migration, clusters",
        "platforms",
    ),
}  # fmt: skip
"""Feature list → what its rows are about, in the order of their numbers."""
LATER = {
    "MEL-52": "network: a later issue",
}
"""Row that has no test yet → why."""
OUTSIDE = {
    "MEL-57": "pip install is all that is needed; continuous integration does just that",
    "SCA-28": "the size of the original; nothing to show",
    "MYR-26": "the platform's packages: wheels of continuous integration",
}
"""Row that no test in here can show → why."""
PARTLY = {
    "MEL-53": "network: a later issue",
    "MIC-17": "no USB",
    "RMP-04": "page tables; no GIC",
    "RMP-09": "x86-64; no ARM processor to switch",
    "MYR-23": "loading over a network: a later issue",
    "MYR-24": "NVMe, SATA, Ethernet, a mouse: a later issue",
    "MYR-25": "several nodes, load balancing and virtual IP addresses: a later issue",
}
"""Row of which something is tested → what is not there."""
PAGE = """\
# What the five feature lists ask for

Each row is a promise of one of the kernels that were models of this one (MelloOS, Scarlett OS, the
microkernel, the memory and process kernel, Myria OS; [profiles.md](profiles.md)). *tested*: a test
fails when that is broken, the one that is named and mostly others too: `grep -rn SCA-03 tests`
lists them. This page is made by `python -m tests.rows > docs/rows.md`.

"""
_ROW = re.compile(r"\b(MEL|SCA|MIC|RMP|MYR)-(\d\d)(?: to \1-(\d\d))?")


def rows_in(text: str) -> set[str]:
    """Return the rows that a text names, ranges spelled out."""
    return {
        f"{kernel}-{number:02}"
        for kernel, first, last in _ROW.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


@functools.cache
def tests_by_row() -> dict[str, list[str]]:
    """Return row → tests that name it, as pytest spells them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Module):
                name, text = where, ast.get_docstring(node) or ""
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                name, text = f"{where}::{node.name}", ast.get_docstring(node) or ""
            else:
                continue
            for row in rows_in(text):
                found[row].append(name)
    return found


def all_rows() -> list[str]:
    """Return every row there is."""
    return [f"{kernel}-{n:02}" for kernel, names in NAMES.items() for n in range(1, len(names) + 1)]


def state_of(row: str, tests: list[str]) -> str:
    """Return the state of a row, and the reason where it is not simply tested."""
    if tests:
        return f"partly: {PARTLY[row]}" if row in PARTLY else "tested"
    reasons = (("later", LATER), ("outside", OUTSIDE))
    return next((f"{state}: {rows[row]}" for state, rows in reasons if row in rows), "open")


def table() -> str:
    """Return a line for each row: what it is about, its state, and the test most about it."""
    found = tests_by_row()
    about = Counter(test for tests in found.values() for test in tests)

    def foremost(test: str) -> tuple[bool, int, str]:
        return "::" not in test, about[test], test

    lines = ["| row | about | state | test |", "| --- | --- | --- | --- |"]
    for row in all_rows():
        tests, (kernel, number) = found.get(row, []), row.split("-")
        test = f"`{min(tests, key=foremost).removeprefix('tests/')}`" if tests else ""
        name = NAMES[kernel][int(number) - 1]
        lines.append(f"| {row} | {name} | {state_of(row, tests)} | {test} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return docs/rows.md."""
    return PAGE + table()


if __name__ == "__main__":
    print(page(), end="")
