"""Expressions that only read, and those of which nobody knows."""

from __future__ import annotations

import pytest

from pykern.debug.python_source.reading import only_reads


@pytest.mark.parametrize(
    "expression",
    [
        "kernel.cpus[0].current.name",
        "len([t for t in kernel.threads.by_tid.values() if t.tid > 3])",
        "sorted(kernel.processes.by_pid, key=lambda pid: -pid)",
        "f'{buf:#x}', hex(count), fd in (1, 2)",
        "isinstance(file, type(None)) or 1/0",
        "1 +",
        "(" * 5000,
    ],
)
def test_only_read(expression):
    assert only_reads(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "kernel.processes.by_pid.clear()",
        "setattr(kernel, 'x', 1)",
        "[kernel.log.append(1) for _ in range(2)]",
        "max([1], key=kernel.kill)",
        "list(map(kernel.kill, []))",
        "(lambda: kernel.reset())()",
        "kernel.swap.get(3)",
        "__import__('os').getpid()",
    ],
)
def test_may_change_something(expression):
    assert not only_reads(expression)
