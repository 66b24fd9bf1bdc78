"""The kernel heaps there are, by the names that profiles use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.registry import Registry
from pykern.kernel.mm.first_fit import FirstFitHeap
from pykern.kernel.mm.heap import BuddyHeap
from pykern.kernel.mm.slab import SlabHeap

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.mm.heap import HeapAllocator

HEAPS: Registry[Callable[..., HeapAllocator]] = Registry("kernel heap")
HEAPS.register("buddy")(BuddyHeap)
HEAPS.register("first-fit")(FirstFitHeap)
HEAPS.register("slab")(SlabHeap)
