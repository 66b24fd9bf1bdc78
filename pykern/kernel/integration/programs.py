"""What stories at boot are told with: programs run to their end, and what is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.integration.selftest import SelfTestError

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process


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
