"""Address spaces by the names that Scarlett OS gives them (SCA-01, SCA-02, SCA-15)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.x86.pte import NX, RW, US

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.mm.space import AddressSpace as UserSpace
    from pykern.kernel.x86.paging import PageTable

VMM_PRESENT, VMM_WRITE, VMM_USER, VMM_NX = 1, 2, 4, 1 << 63
"""Flags of `vmm_map_page`: the bits of a page-table entry."""
_FLAGS = VMM_PRESENT | VMM_WRITE | VMM_USER | VMM_NX
_RIGHTS = {VMM_WRITE: RW, VMM_USER: US, VMM_NX: NX}


@dataclass(eq=False)
class AddressSpace:
    """An address space.

    Attributes
    ----------
    pml4 : physical address of its top table
    asid : its number; 0 is the kernel's
    table : its page tables
    owner : what the tables belong to; None: the kernel
    """

    pml4: int
    asid: int
    table: PageTable
    owner: UserSpace | None = None


class ScarlettVmm:
    """The virtual memory manager.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._asids = itertools.count(1)

    def vmm_init(self) -> AddressSpace:
        """Return the kernel's address space, whose page tables are those that were made at boot."""
        return AddressSpace(self._kernel.table.root, 0, self._kernel.table)

    def vmm_create_address_space(self) -> AddressSpace:
        """Make an address space with the kernel's half in it.

        Raises
        ------
        SysError(ENOMEM) : no frames
        """
        space = self._kernel.processes.new_space()
        table = cast("PageTable", space.pages.table)
        return AddressSpace(space.pml4, next(self._asids), table, space)

    def vmm_destroy_address_space(self, space: AddressSpace) -> None:
        """Free the tables of an address space; the pages mapped in it belong to who mapped them.

        Raises
        ------
        ValueError : it is the kernel's
        """
        if space.owner is None:
            raise ValueError("the kernel's address space is never destroyed")
        space.owner.release()

    def vmm_map_page(self, space: AddressSpace, virt: int, phys: int, flags: int) -> None:
        """Map a page of 4 KiB; one that is writable is not executable.

        Raises
        ------
        ValueError : flags without VMM_PRESENT, or unknown ones
        KernelBug : an address that is not aligned, or mapped already
        """
        if not flags & VMM_PRESENT or flags & ~_FLAGS:
            raise ValueError(f"vmm_map_page: flags {flags:#x}, expected VMM_PRESENT and others")
        rights = sum(right for flag, right in _RIGHTS.items() if flags & flag)
        space.table.map(virt, phys, PAGE_SIZE, rights | (NX if flags & VMM_WRITE else 0))

    def vmm_unmap_page(self, space: AddressSpace, virt: int) -> None:
        """Unmap a page; no processor translates it any more.

        Raises
        ------
        KernelBug : it is not mapped
        """
        space.table.unmap(virt, PAGE_SIZE)
        for cpu in self._kernel.cpus:
            cpu.vcpu.invalidate(virt, PAGE_SIZE)

    def vmm_get_physical(self, space: AddressSpace, virt: int) -> int | None:
        """Return the physical address that a linear one leads to; None: nowhere."""
        return space.table.translate(virt)

    def vmm_switch_address_space(self, space: AddressSpace) -> None:
        """Let the processor that executes translate by an address space, its thread from now on."""
        cpu = self._kernel.clock.this_cpu
        assert cpu is not None
        cpu.current.context.cr3 = space.pml4
        cpu.vcpu.write_register("cr3", space.pml4)
