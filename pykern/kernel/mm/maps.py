"""Reports on an address space as text, in the words of Linux.

References
----------
Linux proc(5), /proc/[pid]/maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.mm.vma import PROT_EXEC, PROT_READ, PROT_WRITE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.mm.vma import Vma, VmaMap

_NAME_COLUMN = 73


def rights(vma: Vma) -> str:
    """Return "rw-p" and the like."""
    letters = ((PROT_READ, "r"), (PROT_WRITE, "w"), (PROT_EXEC, "x"))
    return "".join(letter if vma.prot & bit else "-" for bit, letter in letters) + (
        "s" if vma.shared else "p"
    )


def line(vma: Vma) -> str:
    """Return one line of maps, without its end."""
    major, minor, inode = vma.pager.identity if vma.pager else (0, 0, 0)
    name = vma.pager.name if vma.pager else vma.name
    text = (
        f"{vma.start:08x}-{vma.end:08x} {rights(vma)} {vma.offset:08x} "
        f"{major:02x}:{minor:02x} {inode} "
    )
    return f"{text:{_NAME_COLUMN}}{name}" if name else text


def maps(areas: Iterable[Vma]) -> str:
    """Return the contents of /proc/PID/maps."""
    return "".join(f"{line(vma)}\n" for vma in areas)


def describe(areas: VmaMap, laddr: int) -> str:
    """Say in one sentence what lies at an address, for whoever explains a fault."""
    vma = areas.find(laddr)
    if vma is not None:
        return f"{laddr:#x} is {laddr - vma.start:#x} bytes into {_named(vma)}"
    if laddr < 0x1000:
        return f"{laddr:#x} is in the first page: a null pointer"
    below, above = areas.below(laddr), areas.above(laddr)
    where = []
    if below is not None:
        where.append(f"{laddr - below.end:#x} bytes behind {_named(below)}")
    if above is not None:
        where.append(f"{above.start - laddr:#x} bytes below {_named(above)}")
    return f"{laddr:#x} is not mapped; it is " + (" and ".join(where) or "in an empty space")


def _named(vma: Vma) -> str:
    name = vma.pager.name if vma.pager else vma.name or "anonymous memory"
    return f"{name} ({vma.start:#x}-{vma.end - 1:#x} {rights(vma)})"
