"""The 4-level page tables of an x86-64 processor, in guest memory.

An entry that maps a page (PTE; PDE or PDPTE with PS set)::

     63  62…52  51           …           12  11…9  8  7   6  5  4    3    2   1   0
    +---+------+---------------------------+------+--+---+--+--+----+----+---+---+---+
    |NX | free | physical address          | free |G |PS |D |A |PCD |PWT |US |RW | P |
    +---+------+---------------------------+------+--+---+--+--+----+----+---+---+---+

PS is the PAT bit in a PTE; this kernel leaves it 0 there. An entry with P clear that is not 0 holds
a page that no access reaches (PROT_NONE), or whatever else the memory manager wants to find again.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging; Access Rights; Page-Fault Exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.core.memory import PhysicalMemory

P, RW, US, PWT, PCD, A, D, PS, G = (1 << bit for bit in range(9))
NX = 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000
RIGHTS = P | RW | US | PWT | PCD | G | NX

# Error code of #PF.
PF_P, PF_W, PF_U, PF_RSVD, PF_I = (1 << bit for bit in range(5))

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4

ENTRIES = 512
PAGE_2M, PAGE_1G = 2 * MIB, GIB
LEVELS = ("PML4E", "PDPTE", "PDE", "PTE")
_SHIFTS = (39, 30, 21, 12)
_LEAF_SHIFTS = (30, 21)
_FLAG_NAMES = (
    (P, "P"), (RW, "RW"), (US, "US"), (PWT, "PWT"), (PCD, "PCD"),
    (A, "A"), (D, "D"), (PS, "PS"), (G, "G"), (NX, "NX"),
)  # fmt: skip
_NOTHING = bytes(PAGE_SIZE)


def is_canonical(laddr: int) -> bool:
    """Say whether bits 63 to 47 of a linear address are equal."""
    return 0 <= laddr < 1 << 47 or (1 << 64) - (1 << 47) <= laddr < 1 << 64


def flag_names(entry: int) -> str:
    """Spell the flags of an entry: "P RW US"."""
    return " ".join(name for bit, name in _FLAG_NAMES if entry & bit)


class FrameSource(Protocol):
    """Where page tables get their frames; `mm.frames.FrameAllocator` is one."""

    def alloc(self) -> int:
        """Return the physical address of a cleared frame."""
        ...

    def free(self, paddr: int, /) -> None:
        """Take a frame back."""
        ...


@dataclass(frozen=True)
class Leaf:
    """One mapped page: where it begins, how large it is, and its entry."""

    laddr: int
    size: int
    entry: int

    @property
    def paddr(self) -> int:
        """Physical address of the page's first byte."""
        return self.entry & ADDRESS & -self.size

    @property
    def flags(self) -> int:
        """Bits of the entry without its address; PS is left out."""
        return self.entry & ~ADDRESS & ~(PS if self.size > PAGE_SIZE else 0)


@dataclass(frozen=True)
class Walk:
    """What the hardware reads when it translates: (level, physical address, entry) from the top."""

    laddr: int
    steps: tuple[tuple[str, int, int], ...]

    @property
    def leaf(self) -> Leaf | None:
        """The page that is mapped, or None."""
        level, _, entry = self.steps[-1]
        size = 1 << _SHIFTS[LEVELS.index(level)]
        return Leaf(self.laddr & -size, size, entry) if entry & P else None

    def explain(self) -> str:
        """Return one line per level, and what it comes to."""
        lines = [
            f"{level:5} at {paddr:#x}: {entry:#018x}  {flag_names(entry) or 'not present'}"
            for level, paddr, entry in self.steps
        ]
        leaf = self.leaf
        if leaf is None:
            return "\n".join([*lines, f"{self.laddr:#x} is not mapped: {self.steps[-1][0]}.P = 0"])
        entries = [entry for _, _, entry in self.steps]
        rights = (
            ("r", True),
            ("w", all(entry & RW for entry in entries)),
            ("x", not any(entry & NX for entry in entries)),
            ("u", all(entry & US for entry in entries)),
        )
        letters = "".join(letter if has else "-" for letter, has in rights)
        paddr = leaf.paddr + self.laddr % leaf.size
        return "\n".join([
            *lines, f"{self.laddr:#x} -> {paddr:#x} {letters}, page of {leaf.size // 1024} KiB",
        ])  # fmt: skip


class PageTable:
    """A tree of page tables under one PML4.

    The table owns the frames of its tables, never the pages it maps. Changes are made in memory;
    `invalidate` makes the processors forget what they cached, before a frame of the tree is freed.

    Parameters
    ----------
    memory : guest RAM
    frames : frames for tables
    root : physical address of an existing PML4; None: a new, empty one
    largest : largest page `map` may use, bytes; PAGE_1G needs CPUID's Page1GB
    invalidate : called with (laddr, size) after translations were removed or narrowed
    allow_wx : let pages be writable and executable at once
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        frames: FrameSource,
        root: int | None = None,
        *,
        largest: int = PAGE_2M,
        invalidate: Callable[[int, int], object] | None = None,
        allow_wx: bool = False,
    ) -> None:
        self._memory, self._frames = memory, frames
        self.root = frames.alloc() if root is None else root
        self.largest, self.allow_wx = largest, allow_wx
        self.invalidate = invalidate or (lambda _laddr, _size: None)
        # Read-only windows on tables: of RAM, hence never stale.
        self._views: dict[int, memoryview] = {}

    # -- changing

    def map(self, laddr: int, paddr: int, size: int, flags: int, *, wx: bool = False) -> None:
        """Map a range of linear addresses to physical ones, in the largest pages that fit.

        Parameters
        ----------
        laddr, paddr, size : bytes, multiples of 4 KiB
        flags : RW, US, PWT, PCD, G, NX as wanted; P is added
        wx : allow RW without NX for this range

        Raises
        ------
        KernelBug : unaligned, not canonical, mapped already, or writable and executable
        SysError(ENOMEM) : no frame for a table; nothing has been mapped
        """
        self._check(laddr, size, paddr)
        flags |= P
        self._check_rights(flags, wx=wx)
        done = 0
        try:
            while done < size:
                done += self._map_span(laddr + done, paddr + done, size - done, flags)
        except (SysError, KernelBug):
            if done:
                self.unmap(laddr, done)
            self._prune(laddr + done, 1)
            raise

    def unmap(self, laddr: int, size: int) -> None:
        """Remove what is mapped in a range; tables that become empty are freed.

        Raises
        ------
        SysError(ENOMEM) : a large page reaches beyond the range and could not be split
        """
        self._check(laddr, size)
        self.change(laddr, size, lambda _laddr, _entry: 0)

    def protect(self, laddr: int, size: int, flags: int, *, wx: bool = False) -> None:
        """Give what is mapped in a range the rights RW, US, PWT, PCD, G, NX of `flags`."""
        self._check(laddr, size)
        flags = flags & RIGHTS | P
        self._check_rights(flags, wx=wx)
        self.change(laddr, size, lambda _laddr, entry: entry & ~RIGHTS | flags)

    def change(self, laddr: int, size: int, new: Callable[[int, int], int]) -> None:
        """Replace every entry that is not 0 in a range by `new(laddr, entry)`; 0 removes it.

        Large pages that reach beyond the range are split first. The processors are told once.
        """
        self._split(laddr)
        self._split(laddr + size)
        changed = removed = False
        for start, table, index, count, shift in self._spans(laddr, laddr + size):
            view = self._view(table)
            old = view[index : index + count].tolist()
            entries = [
                new(start + (i << shift), entry) if entry else 0 for i, entry in enumerate(old)
            ]
            if entries == old:
                continue
            changed = True
            removed |= 0 in entries
            self._write(table, index, entries)
        if removed:
            self._prune(laddr, size)
        elif changed:
            self.invalidate(laddr, size)

    def set_entry(self, laddr: int, paddr: int, flags: int) -> None:
        """Put a 4 KiB page, whatever was there; the caller invalidates.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        if flags & (P | RW | NX) == P | RW:
            self._check_rights(flags)
        table = self._table_for(laddr, 12, flags)
        self._memory.write(table + (laddr >> 9 & 0xFF8), (paddr | flags).to_bytes(8, "little"))

    # -- looking

    def entry(self, laddr: int) -> int:
        """Return the PTE of a 4 KiB page, or 0 where there is none or a larger page."""
        table = self.root
        views = self._views
        for shift in (39, 30, 21):
            view = views.get(table) or self._view(table)
            entry = view[laddr >> shift & 511]
            if not entry & P or entry & PS:
                return 0
            table = entry & ADDRESS
        view = views.get(table) or self._view(table)
        return int(view[laddr >> 12 & 511])

    def walk(self, laddr: int) -> Walk:
        """Translate as the hardware does and keep what was read."""
        steps = []
        table = self.root
        for level, shift in zip(LEVELS, _SHIFTS, strict=True):
            index = laddr >> shift & (ENTRIES - 1)
            entry = self._view(table)[index]
            steps.append((level, table + 8 * index, entry))
            if not entry & P or entry & PS:
                break
            table = entry & ADDRESS
        return Walk(laddr, tuple(steps))

    def lookup(self, laddr: int) -> Leaf | None:
        """Return the page that holds a linear address, or None."""
        return self.walk(laddr).leaf if is_canonical(laddr) else None

    def translate(self, laddr: int) -> int | None:
        """Return the physical address of a linear one, or None."""
        leaf = self.lookup(laddr)
        return None if leaf is None else leaf.paddr + laddr - leaf.laddr

    def leaves(self, laddr: int = 0, size: int = 1 << 64) -> Iterator[Leaf]:
        """Iterate over the mapped pages of a range in order of address."""
        for start, table, index, count, shift in self._spans(laddr, laddr + size):
            for i, entry in enumerate(self._view(table)[index : index + count].tolist()):
                if entry & P:
                    yield Leaf(start + (i << shift), 1 << shift, entry)

    def mappings(self, laddr: int = 0, size: int = 1 << 64) -> Iterator[tuple[int, int, int, int]]:
        """Iterate over runs of equal rights: (laddr, size, paddr, flags without A and D)."""
        run: tuple[int, int, int, int] | None = None
        for leaf in self.leaves(laddr, size):
            flags = leaf.flags & RIGHTS
            if run and (run[0] + run[1], run[2] + run[1], run[3]) == (
                leaf.laddr, leaf.paddr, flags,
            ):  # fmt: skip
                run = (run[0], run[1] + leaf.size, run[2], flags)
                continue
            if run:
                yield run
            run = (leaf.laddr, leaf.size, leaf.paddr, flags)
        if run:
            yield run

    # -- user halves

    @staticmethod
    def user_flags(prot: int) -> int:
        """Return the flags of a user page with PROT_READ, PROT_WRITE and PROT_EXEC."""
        if not prot:
            return US | NX
        return P | US | (RW if prot & PROT_WRITE else 0) | (0 if prot & PROT_EXEC else NX)

    @staticmethod
    def is_present(entry: int) -> bool:
        """Say whether any access to the page can succeed."""
        return bool(entry & P)

    @staticmethod
    def is_writable(entry: int) -> bool:
        """Say whether a write to the page can succeed."""
        return entry & (P | RW) == P | RW

    @staticmethod
    def read_only(entry: int) -> int:
        """Return an entry without the right to write."""
        return entry & ~RW

    @staticmethod
    def paddr_of(entry: int) -> int:
        """Return the frame of an entry."""
        return entry & ADDRESS

    def release(self) -> None:
        """Free the tables of the lower half and the PML4; the pages are somebody else's."""
        for index in range(ENTRIES // 2):
            entry = self._view(self.root)[index]
            if entry & P:
                self._free_tree(entry & ADDRESS, 1)
        self._free_table(self.root)
        self.root = 0

    # -- inside

    def _check(self, laddr: int, size: int, paddr: int = 0) -> None:
        if (laddr | size | paddr) & (PAGE_SIZE - 1) or size <= 0:
            raise KernelBug(
                f"mapping {laddr:#x} -> {paddr:#x}, {size:#x} bytes: expected multiples of 4 KiB"
            )
        end = laddr + size - 1
        if not (is_canonical(laddr) and is_canonical(end)) or laddr >> 47 != end >> 47:
            raise KernelBug(f"linear {laddr:#x}-{end:#x} is not one canonical range")
        if paddr + size - 1 & ~(ADDRESS | 0xFFF):
            raise KernelBug(f"physical {paddr:#x}: expected at most 52 bits")

    def _check_rights(self, flags: int, *, wx: bool = False) -> None:
        if flags & ADDRESS:
            raise KernelBug(f"flags {flags:#x} hold address bits")
        if flags & (P | RW | NX) == P | RW and not (wx or self.allow_wx):
            raise KernelBug(f"page with flags {flag_names(flags)} is writable and executable")

    def _view(self, table: int) -> memoryview:
        view = self._views.get(table)
        if view is None:
            view = self._memory.view(table, PAGE_SIZE).cast("Q")
            self._views[table] = view
        return view

    def _write(self, table: int, index: int, entries: list[int]) -> None:
        data = b"".join([entry.to_bytes(8, "little") for entry in entries])
        self._memory.write(table + 8 * index, data)

    def _map_span(self, laddr: int, paddr: int, size: int, flags: int) -> int:
        """Map pages of one size that lie in one table; return the bytes mapped."""
        shift = self._leaf_shift(laddr | paddr, size)
        index = laddr >> shift & (ENTRIES - 1)
        count = min(ENTRIES - index, size >> shift)
        if shift < 30:  # stop where a larger page begins to fit
            larger = 1 << shift + 9
            if larger <= self.largest and not (laddr ^ paddr) & (larger - 1):
                count = min(count, (larger - laddr % larger) >> shift)
        table = self._table_for(laddr, shift, flags)
        old = self._view(table)[index : index + count].tolist()
        for i, entry in enumerate(old):
            if entry:
                raise KernelBug(
                    f"linear {laddr + (i << shift):#x} is mapped already: entry {entry:#x}"
                )
        first = paddr | flags | (PS if shift > 12 else 0)
        self._write(table, index, [first + (i << shift) for i in range(count)])
        return count << shift

    def _leaf_shift(self, addresses: int, size: int) -> int:
        """Return the binary logarithm of the largest page that fits."""
        for shift in _LEAF_SHIFTS:
            page = 1 << shift
            if page <= min(self.largest, size) and not addresses & (page - 1):
                return shift
        return 12

    def _table_for(self, laddr: int, shift: int, flags: int) -> int:
        """Return the table whose entries map pages of 1 << shift bytes; make what is missing."""
        table = self.root
        for level in _SHIFTS[: _SHIFTS.index(shift)]:
            index = laddr >> level & (ENTRIES - 1)
            entry = self._view(table)[index]
            if entry & PS:
                raise KernelBug(f"linear {laddr:#x} lies in a larger page: entry {entry:#x}")
            if not entry:
                # Rights are narrowed at the leaf; a user page needs US at every level.
                entry = self._frames.alloc() | P | RW | flags & US
                self._write(table, index, [entry])
            elif flags & US and not entry & US:
                raise KernelBug(f"user page {laddr:#x} under a supervisor entry {entry:#x}")
            table = entry & ADDRESS
        return table

    def _spans(self, laddr: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Iterate over the parts of a range that lie in one table each and hold leaves.

        Yields (laddr, table, index, count, shift). A table is left as soon as its entries point to
        further tables, so a span may hold leaves and zeros only.
        """
        yield from self._spans_under(self.root, 0, laddr, min(end, 1 << 64))

    def _spans_under(
        self, table: int, depth: int, laddr: int, end: int
    ) -> Iterator[tuple[int, int, int, int, int]]:
        shift = _SHIFTS[depth]
        first = laddr >> shift & (ENTRIES - 1)
        last = end - 1 >> shift & (ENTRIES - 1)
        if depth == 3:
            yield laddr, table, first, last - first + 1, shift
            return
        for index, entry in enumerate(self._view(table)[first : last + 1].tolist(), first):
            if not entry:
                continue
            start = _sign_extend((laddr >> shift + 9 << shift + 9) + (index << shift), depth)
            if entry & PS or not entry & P:
                yield start, table, index, 1, shift
                continue
            yield from self._spans_under(
                entry & ADDRESS, depth + 1, max(laddr, start), min(end, start + (1 << shift))
            )

    def _split(self, laddr: int) -> None:
        """Make sure that no page begins before `laddr` and ends after it."""
        table = self.root
        for depth, shift in enumerate(_SHIFTS[:3]):
            if not laddr & ((1 << shift) - 1):
                return
            index = laddr >> shift & (ENTRIES - 1)
            entry = self._view(table)[index]
            if not entry & P:
                return
            if entry & PS:
                entry = self._split_entry(table, index, entry, _SHIFTS[depth + 1])
                self.invalidate(laddr >> shift << shift, 1 << shift)
            table = entry & ADDRESS

    def _split_entry(self, table: int, index: int, entry: int, shift: int) -> int:
        """Replace a large page by a table of smaller ones; return the entry of that table."""
        smaller = self._frames.alloc()
        leaf = entry & ~PS if shift == 12 else entry
        self._write(smaller, 0, [leaf + (i << shift) for i in range(ENTRIES)])
        upper = smaller | P | RW | entry & US
        self._write(table, index, [upper])
        return upper

    def _prune(self, laddr: int, size: int) -> None:
        """Unlink tables that hold nothing any more, tell the processors, then free them.

        Tables right under the PML4 stay in the upper half: every address space shares them.
        """
        empty: list[int] = []
        self._prune_under(self.root, 0, laddr, laddr + size, empty)
        self.invalidate(laddr, size)
        for table in empty:
            self._free_table(table)

    def _prune_under(self, table: int, depth: int, laddr: int, end: int, empty: list[int]) -> None:
        shift = _SHIFTS[depth]
        first, last = laddr >> shift & (ENTRIES - 1), end - 1 >> shift & (ENTRIES - 1)
        for index in range(first, last + 1):
            entry = self._view(table)[index]
            if not entry & P or entry & PS:
                continue
            lower = entry & ADDRESS
            if depth < 2:
                start = (laddr >> shift + 9 << shift + 9) + (index << shift)
                self._prune_under(
                    lower, depth + 1, max(laddr, start), min(end, start + (1 << shift)), empty
                )
            shared = depth == 0 and index >= ENTRIES // 2
            if not shared and self._memory.read(lower, PAGE_SIZE) == _NOTHING:
                self._write(table, index, [0])
                empty.append(lower)

    def _free_tree(self, table: int, depth: int) -> None:
        if depth < 3:
            for entry in self._view(table).tolist():
                if entry & P and not entry & PS:
                    self._free_tree(entry & ADDRESS, depth + 1)
        self._free_table(table)

    def _free_table(self, table: int) -> None:
        self._views.pop(table, None)
        self._frames.free(table)


def _sign_extend(laddr: int, depth: int) -> int:
    """Make an address composed from indices canonical again; only the top level needs it."""
    return laddr | 0xFFFF_0000_0000_0000 if depth == 0 and laddr >> 47 & 1 else laddr


def user_table(
    memory: PhysicalMemory, frames: FrameSource, kernel_half: int | None = None
) -> PageTable:
    """Make a page table with an empty lower half.

    Parameters
    ----------
    kernel_half : physical address of the PML4 whose entries 256 to 511 are taken over; None: none

    Raises
    ------
    SysError(ENOMEM) : no frame
    """
    table = PageTable(memory, frames)
    if kernel_half is not None:
        memory.write(table.root + PAGE_SIZE // 2, memory.read(kernel_half + 2048, 2048))
    return table
