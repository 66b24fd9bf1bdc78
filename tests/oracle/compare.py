"""Compare what two implementations made of a batch, and say it so that a bug can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .state import (
    GPR_NAMES,
    SREG_NAMES,
    ST,
    STATUS_FLAGS,
    Flag,
    Instructions,
    Outcome,
    States,
    code_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Array = NDArray[np.generic]

# Fields compared bit by bit; `rflags` has a mask and `mem_base` is an input.
_COMPARED = (
    "vector", "error_code", "cr2", "rip", "gpr", "mem", "stray",
    "ymm", "mxcsr", "fcw", "fsw", "ftw", "st",
)  # fmt: skip
X87_POINTERS = ("fop", "fip", "fdp")


def differences(
    expected: States,
    actual: States,
    *,
    flags: int = STATUS_FLAGS | Flag.DF | Flag.AC,
    ignore: Iterable[str] = (),
    also: Iterable[str] = (),
) -> dict[int, list[str]]:
    """Compare two results case by case.

    Parameters
    ----------
    flags
        RFLAGS bits to compare: leave out those the instruction leaves undefined.
    ignore, also
        Field names to leave out, and to add (`X87_POINTERS`, ``sreg``).

    Returns
    -------
    dict[int, list[str]]
        Index of each case that differs, and one line per difference. Empty if all agree.
    """
    ran = expected["vector"] != Outcome.REFUSED
    found: dict[int, list[str]] = {}
    for name in ("rflags", *_COMPARED, *also):
        if name in ignore:
            continue
        left, right = _comparable(expected, name, flags), _comparable(actual, name, flags)
        unequal = (left != right).reshape(len(expected), -1).any(axis=1)
        for index in np.flatnonzero(ran & unequal):
            found.setdefault(int(index), []).extend(_lines(name, left[index], right[index]))
    return found


def _comparable(array: States, name: str, flags: int) -> Array:
    """Return one field as an array that can be compared element by element."""
    field: Array = array[name]
    if name == "rflags":
        return array[name] & np.uint64(flags)
    if name == "st":
        parts = [array[name]["significand"], array[name]["sign_exponent"].astype(np.uint64)]
        return np.stack(parts, axis=2)
    return field


def _lines(name: str, expected: Array, actual: Array) -> list[str]:
    left, right = expected.reshape(-1), actual.reshape(-1)
    changed = np.flatnonzero(left != right)
    lines = []
    for i in changed[:8]:
        wanted, got = _value(name, int(left[i])), _value(name, int(right[i]))
        lines.append(f"{_label(name, int(i))}: expected {wanted}, got {got}")
    if len(changed) > 8:
        lines.append(f"{name}: and {len(changed) - 8} more")
    return lines


def _label(name: str, index: int) -> str:
    if name == "gpr":
        return GPR_NAMES[index]
    if name == "sreg":
        return SREG_NAMES[index]
    if name == "ymm":
        return f"ymm{index // 4}[{index % 4}]"
    if name == "st":
        return f"st{index // 2}.{ST.names[index % 2] if ST.names else index % 2}"
    return f"mem+{index:#x}" if name == "mem" else name


def _value(name: str, value: int) -> str:
    if name == "vector":
        return vector_name(value)
    if name == "rflags":
        return "|".join(flag.name or "" for flag in Flag(value)) or "no flag"
    return f"{value:#x}"


_VECTORS = {
    0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 10: "#TS",
    11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC", 19: "#XM",
}  # fmt: skip


def vector_name(vector: int) -> str:
    """Return the SDM's mnemonic of a vector, or the name of an `Outcome`."""
    if vector < 0:
        return Outcome(vector).name.lower()
    return _VECTORS.get(vector, f"vector {vector}")


def report(
    code: Instructions, start: States, found: Mapping[int, list[str]], *, limit: int = 5
) -> str:
    """Describe the first cases of `differences`: the bytes, the start state, what differs."""
    lines = [f"{len(found)} of {len(start)} cases differ"] if found else []
    for index, differing in list(found.items())[:limit]:
        instruction = code[index if len(code) > 1 else 0]
        lines.append(f"case {index}: {code_bytes(instruction).hex(' ')}")
        lines += [f"    {line}" for line in _registers(start[index])]
        lines += [f"  {line}" for line in differing]
    return "\n".join(lines)


def _registers(state: np.void) -> list[str]:
    """Describe a start state, as far as one line per four registers goes."""
    named = [f"{name}={int(v):x}" for name, v in zip(GPR_NAMES, state["gpr"], strict=True)]
    named += [f"{name}={int(state[name]):x}" for name in ("rip", "rflags", "mem_base")]
    named += [f"{name}={int(state[name]):x}" for name in ("mxcsr", "fcw", "fsw", "ftw")]
    return [" ".join(named[i : i + 4]) for i in range(0, len(named), 4)]
