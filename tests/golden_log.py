"""Comparing a boot log with a golden one."""

from __future__ import annotations

import itertools
import re


def difference(golden: str, log: str) -> str | None:
    """Return where a log is not as the golden one says; None: it is.

    In the golden log ``0x...`` stands for any address, ``0...`` for any decimal number, and a line
    of three dots for any lines.
    """
    lines = iter(log.splitlines())
    anywhere = False
    for wanted in golden.splitlines():
        if wanted == "...":
            anywhere = True
            continue
        shape = re.escape(wanted).replace(r"0x\.\.\.", "0x[0-9a-f]+").replace(r"0\.\.\.", r"\d+")
        passed = lines if anywhere else itertools.islice(lines, 1)
        if not any(re.fullmatch(shape, line) for line in passed):
            return f"no line {wanted!r} where it should be"
        anywhere = False
    return None
