"""Whether what a profile chooses fits together."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pykern.kernel.abi.tables import GATES
from pykern.kernel.binfmt import signature
from pykern.kernel.core.log import STYLES, Level
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.heaps import HEAPS
from pykern.kernel.mm.replacement import REPLACEMENTS
from pykern.kernel.sched import POLICIES
from pykern.kernel.x86.pte import LOWER_END, PAGE_1G, PAGE_2M

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.core.registry import Registry
    from pykern.kernel.profiles.profile import Profile

_RECURSIVE = 0xFFFF_FF00_0000_0000
"""From entry 510 of the PML4 on recursive paging leaves room for the image only."""
IMAGE_ROOM = 1 << 28
"""Bytes behind the start of the image that nothing else may lie in."""


class ProfileError(ValueError):
    """A profile that no kernel can be made of; the text names all that is wrong with it."""


def check(profile: Profile) -> None:
    """See that all names are known and no choice excludes another.

    Raises
    ------
    ProfileError : says all that is wrong
    """
    problems = [
        *_names(profile),
        *_sizes(profile),
        *_gates(profile),
        *_layout(profile),
        *_paging(profile),
        *_keys(profile),
    ]
    if problems:
        raise ProfileError(f"profile {profile.name!r}: " + "; ".join(problems))


def _names(profile: Profile) -> Iterator[str]:
    registries: tuple[tuple[str, Registry[object]], ...] = (
        (profile.policy, POLICIES),  # type: ignore[assignment]
        (profile.log_style, STYLES),
        (profile.heap, HEAPS),
        (profile.replacement, REPLACEMENTS),
    )
    for name, registry in registries:
        if name not in registry:
            yield f"no {registry.kind} {name!r}, expected one of {', '.join(registry.names())}"
    if profile.log_level.upper() not in Level.__members__:
        yield f"log level {profile.log_level!r}, expected debug, info, warn or error"


def _sizes(profile: Profile) -> Iterator[str]:
    if profile.max_cpus < 1:
        yield f"at most {profile.max_cpus} processors, expected at least 1"
    if profile.kernel_stack < PAGE_SIZE or profile.kernel_stack % PAGE_SIZE:
        yield f"kernel stacks of {profile.kernel_stack} bytes, expected whole pages"
    if not 0 < profile.heap_initial <= profile.layout.heap_size:
        room = profile.layout.heap_size
        yield f"a heap of {profile.heap_initial} bytes, the layout has room for {room}"
    if profile.system_ports > profile.ports.ports:
        yield f"{profile.system_ports} system ports of {profile.ports.ports}"
    if profile.tick_by_pit and not 19 <= profile.tick_hz <= 1000:
        yield f"{profile.tick_hz} ticks per second by the PIT, which makes 19 to 1000"


def _gates(profile: Profile) -> Iterator[str]:
    gates = [table for table in (profile.syscall_table, profile.int80_table) if table is not None]
    if not gates:
        yield "both gates are closed: programs could make no system call"
    for table in gates:
        if table not in GATES:
            yield f"no call table {table!r}, expected one of {', '.join(GATES)}"


def _layout(profile: Profile) -> Iterator[str]:
    layout, user = profile.layout, profile.user
    windows = sorted(
        (
            (layout.hhdm, layout.hhdm_size, "direct map"),
            (layout.heap, layout.heap_size, "heap"),
            (layout.stacks, layout.stacks_size, "kernel stacks"),
            (layout.image, IMAGE_ROOM, "image"),
        )
    )
    for base, size, name in windows:
        if base % PAGE_SIZE or base < 1 << 63 or base + size > 1 << 64:
            yield f"{name} at {base:#x}, {size:#x} bytes: not in the kernel's half"
    for (base, size, name), (other, _, second) in itertools.pairwise(windows):
        if base + size > other:
            yield f"{name} at {base:#x}-{base + size - 1:#x} overlaps {second} at {other:#x}"
    bottom = user.stack_top - user.stack_size
    if not user.bottom <= bottom < user.stack_top <= user.top < LOWER_END:
        yield f"a stack at {bottom:#x}-{user.stack_top - 1:#x} is outside of user memory"
    if bottom < user.program < user.stack_top:
        yield f"programs at {user.program:#x} lie in the stack"


def _paging(profile: Profile) -> Iterator[str]:
    if profile.largest_page not in {PAGE_SIZE, PAGE_2M, PAGE_1G}:
        yield f"pages of {profile.largest_page} bytes, expected 4 KiB, 2 MiB or 1 GiB"
    if profile.swap < 0 or profile.swap % PAGE_SIZE:
        yield f"{profile.swap} bytes of swap space, expected whole pages"
    layout = profile.layout
    for base, name in ((layout.hhdm, "direct map"), (layout.heap, "heap")):
        if profile.recursive_paging and base >= _RECURSIVE:
            yield f"{name} at {base:#x}, where recursive paging has the page tables"


def _keys(profile: Profile) -> Iterator[str]:
    try:
        signature.parse_keys(profile.trust)
    except ValueError as error:
        yield f"trust {profile.trust!r}: {error}"
