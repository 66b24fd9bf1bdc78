"""Tests of memory management at boot (MEL-24 to MEL-26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.mm.selftest import check_frames, check_heap, check_paging

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.kernel import Kernel


class SelfTestError(Exception):
    """A part of the kernel does not do what it must; the message says which and what."""


TESTS: tuple[tuple[str, Callable[[Kernel], None]], ...] = (
    ("PMM", lambda kernel: check_frames(kernel.frames, kernel.machine)),
    ("Paging", lambda kernel: check_paging(kernel.space)),
    ("Allocator", lambda kernel: check_heap(kernel.heap, kernel.space)),
)


def run(kernel: Kernel) -> None:
    """Run all; log what passed.

    Raises
    ------
    SelfTestError : the first that fails
    """
    log = kernel.log.subsystem("MM")
    for name, test in TESTS:
        try:
            test(kernel)
        except KernelBug as error:
            raise SelfTestError(f"{name}: {error}") from error
        log.log(f"✓ {name} tests passed")
