"""Machines on which a process counts, and two that run in turn."""

from __future__ import annotations

import re

from pykern.kernel.core.wait import sleep_until

MS = 1_000_000
LAST = 60


def run_both(*machines, most=1_000):
    """Run machines in turn, a millisecond each, until all have ended."""
    for _ in range(most):
        running = [m for m in machines if m.outcome is None or m.outcome.status == 36]
        if not running:
            return
        for each in running:
            if each.outcome is not None:
                each.session.start = lambda: None
            each.session.timeout_ns = each.machine.now + MS
            each.outcome = each.session.run()
    raise AssertionError("\n".join(m.log[-300:] for m in machines))


def counted(made):
    return [int(line) for line in re.findall(r"^(\d+)$", made.log, re.MULTILINE)]


async def until_ended(process):
    while process.status is None:
        await process.ended.wait()
    return process.status


async def counting(kernel, *arguments):
    process = await kernel.usermode.spawn(b"/bin/counting", str(LAST).encode(), *arguments)
    await sleep_until(kernel.clock.now_ns + 20 * MS)
    return process
