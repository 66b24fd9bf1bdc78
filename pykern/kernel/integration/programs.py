"""What stories at boot are told with: tests, what they expect, and programs run to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.integration.selftest import SelfTestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process

    Test = tuple[str, Callable[[Kernel], Awaitable[None]]]
    """Its name, as the log has it, and what it does."""


async def run_tests(kernel: Kernel, tests: Iterable[Test]) -> None:
    """Run tests, and log each that has passed.

    Raises
    ------
    SelfTestError : the first that fails
    """
    for name, test in tests:
        await test(kernel)
        kernel.log.subsystem("TEST").log(f"✓ {name}")


def expect(condition: bool, what: str) -> None:
    """Raise SelfTestError with `what` unless the condition holds."""
    if not condition:
        raise SelfTestError(what)


async def status_of(process: Process) -> int:
    """Wait for a process's end; return its wait status."""
    while process.status is None:
        await process.ended.wait()
    return process.status


async def run_program(kernel: Kernel, path: bytes, *arguments: bytes) -> int:
    """Run a program to its end; return its wait status."""
    return await status_of(await kernel.usermode.spawn(path, *arguments))
