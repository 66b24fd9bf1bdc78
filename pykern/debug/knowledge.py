"""What is known of addresses: their names, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.mm.maps import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.host import KernelHost
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.kstack import KernelStack
    from pykern_c import Machine, Vcpu

_UPPER_HALF = 1 << 63


class Knowledge:
    """Puts names to addresses, with the help of a hosted kernel where there is one.

    Parameters
    ----------
    machine : the computer
    host : the host of its kernel; None: nothing is known of the kernel
    near : returns `name+offset` for an address by the kernel's symbols, or None where none is near
    find : returns the address of a symbol of the kernel, or None where there is none
    """

    def __init__(
        self,
        machine: Machine,
        host: KernelHost | None = None,
        near: Callable[[int], str | None] = lambda _laddr: None,
        find: Callable[[str], int | None] = lambda _name: None,
    ) -> None:
        self._machine = machine
        self._host = host
        self._near = near
        self.find = find

    @property
    def kernel(self) -> Kernel | None:
        """Return the kernel if it is one that is hosted and has come up so far."""
        if self._host is None or self._host.kernel.image is None:
            return None
        return self._host.kernel

    def symbol(self, laddr: int) -> str:
        """Return an address with its nearest symbol, if it has one."""
        name = self._near(laddr)
        return f"{laddr:#x} <{name}>" if name else f"{laddr:#x}"

    def owner(self, vcpu: Vcpu, laddr: int) -> str:
        """Say in one sentence whose a linear address is; empty: nobody knows."""
        kernel = self.kernel
        if kernel is None:
            return self._of_memory(vcpu, laddr)
        if laddr < _UPPER_HALF:
            return self._of_program(kernel, vcpu, laddr)
        return self._of_stack(kernel, laddr) or self._of_kernel(laddr)

    def log(self, lines: int) -> str:
        """Return the last lines of the hosted kernel's log."""
        if self.kernel is None:
            return "no log: pykern's own kernel does not run here, or has not come up yet\n"
        return "".join(self.kernel.log.dmesg().splitlines(keepends=True)[-lines:])

    def _of_memory(self, vcpu: Vcpu, laddr: int) -> str:
        paddr = vcpu.translate(laddr).paddr
        if paddr is None:
            return ""
        inside = any(start <= paddr < start + size for start, size in self._machine.ram_ranges)
        return f"physical {paddr:#x}, {'RAM' if inside else 'not RAM: a device, ROM, or nothing'}"

    @staticmethod
    def _of_program(kernel: Kernel, vcpu: Vcpu, laddr: int) -> str:
        thread = kernel.cpus[vcpu.index].current if vcpu.index < len(kernel.cpus) else None
        process = getattr(thread, "process", None)
        if thread is None or process is None:
            return f"{laddr:#x} is in the half of programs, and no program runs here"
        return f"process {process.pid} ({thread.name}): {describe(process.space.vmas, laddr)}"

    @staticmethod
    def _of_stack(kernel: Kernel, laddr: int) -> str:
        for name, stack in _stacks(kernel):
            if stack.bottom <= laddr < stack.top:
                return f"{stack.top - laddr} bytes below the top of {name}'s kernel stack"
            if stack.bottom - PAGE_SIZE <= laddr < stack.bottom:
                return f"{stack.bottom - laddr} bytes below {name}'s kernel stack: guard page"
        return ""

    @staticmethod
    def _of_kernel(laddr: int) -> str:
        layout = KernelLayout()
        for name, start, size in (
            ("the direct map of physical memory", layout.hhdm, layout.hhdm_size),
            ("the kernel heap", layout.heap, layout.heap_size),
            ("the range of kernel stacks", layout.stacks, layout.stacks_size),
            ("the kernel image", layout.image, 1 << 31),
        ):
            if start <= laddr < start + size:
                return f"{laddr - start:#x} bytes into {name}"
        return ""


def _stacks(kernel: Kernel) -> Iterator[tuple[str, KernelStack]]:
    for thread in kernel.threads.by_tid.values():
        if thread.stack is not None:
            yield f"task {thread.tid} ({thread.name})", thread.stack
