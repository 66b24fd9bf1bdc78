"""The contract of every profile: programs come and go, and what they had is there again.

`census` counts what a kernel has given away; who counts before the first program and behind the
last one finds the same numbers, or something was lost on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.fs.inode import Inode
    from pykern.kernel.kernel import Kernel


def census(kernel: Kernel) -> dict[str, int]:
    """Return how much of each thing is in use, by its name.

    Frames are in pages, the heap in bytes, everything else in pieces.
    """
    ports = kernel.ports.statistics()
    return {
        "frames": (kernel.frames.total_bytes - kernel.frames.free_bytes) // PAGE_SIZE,
        "kernel page tables": kernel.table.tables,
        "kernel stacks": len(kernel.stacks),
        "heap": kernel.heap.statistics().used,
        "threads": len(kernel.threads.by_tid),
        "runnable threads": kernel.scheduler.active,
        "processes": len(kernel.processes.by_pid),
        "ports": len(ports),
        "messages in ports": sum(port.queued for port in ports),
        "receivers at ports": sum(port.waiting for port in ports),
        "mailboxes": len(kernel.mailboxes),
        "capabilities": len(kernel.capabilities),
        "mounts": sum(1 for _ in kernel.mounts),
        "open files": sum(mount.users for mount in kernel.mounts),
        "pipes and sockets": kernel.vfs.unnamed.users,
        "abstract sockets": len(kernel.vfs.abstract_sockets),
        "futexes": len(kernel.futexes.sleepers()),
        "timers": kernel.clock.timers,
        "interrupt handlers": len(kernel.traps.handlers),
        "interrupt lines": len(kernel.interrupts.lines),
        **_files_of_the_root(kernel),
        **_swap(kernel),
    }


def _files_of_the_root(kernel: Kernel) -> dict[str, int]:
    root = kernel.mounts.root.inode
    used = root.fs.statfs()
    inodes = used.files - used.ffree
    return {
        "pages of files": used.blocks - used.bfree,
        "inodes": inodes,
        "inodes without a name": inodes - len({inode.ino for inode in _tree(root)}),
    }


def _tree(inode: Inode) -> Iterator[Inode]:
    """Yield all inodes of a file system, whatever is mounted above them."""
    yield inode
    for entry in inode.entries() if inode.is_directory() else ():
        if entry.name not in {b".", b".."}:
            yield from _tree(inode.lookup(entry.name))


def _swap(kernel: Kernel) -> dict[str, int]:
    if kernel.reclaimer is None:
        return {}
    return {
        "swap slots": kernel.reclaimer.swap.used_bytes // PAGE_SIZE,
        "address spaces with pages": kernel.reclaimer.spaces,
    }


def take_what_is_left_in_ports(kernel: Kernel) -> None:
    """Receive messages that were sent to ports nobody owns: they stay, as the ports do."""
    for port in kernel.ports.statistics():
        while port.owner is None and kernel.ports.try_receive(port.number):
            pass
