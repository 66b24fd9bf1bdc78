"""Every page table there is keeps the contract; cites RMP-03, RMP-04, RMP-05, MEL-25."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from pykern.kernel.arm.lpae import LpaeTable
from pykern.kernel.mm import pagetable
from pykern.kernel.x86.paging import RECURSIVE_PML4, PageTable
from tests.contracts.implementations import implementations
from tests.contracts.pagetable import PLACES
from tests.guest import long_mode
from tests.pykern.kernel.arm.test_lpae import X86, Lpae

WINDOW = 0xFFFF_FF80_0000_0000


class Recursive(X86):
    """x86's with the PML4 as its own last entry: the kernel sees all tables as memory."""

    def make(self, memory, frames):
        table = PageTable(memory, frames)
        table.make_recursive()
        return table

    def kernel_reads(self, laddr):
        """Return the 8 bytes that code of the kernel finds somewhere; None: a fault."""
        vcpu = self.machine.vcpus[0]
        long_mode(vcpu, cpl=0)
        vcpu.write_register("cr3", self.table.root)
        paddr = vcpu.translate(laddr, "r").paddr
        return None if paddr is None else int.from_bytes(self.machine.read(paddr, 8), "little")

    @invariant()
    def each_entry_is_where_its_indices_say(self):
        for laddr in PLACES:
            seen = self.kernel_reads(WINDOW + (laddr >> 9 & ~7))
            assert (seen or 0) == self.table.entry(laddr)
        assert (
            self.kernel_reads(RECURSIVE_PML4 + 511 * 8) & 0x000F_FFFF_FFFF_F000 == self.table.root
        )

    @invariant()
    def no_program_reaches_a_table(self):
        vcpu = self.machine.vcpus[0]
        long_mode(vcpu, cpl=3)
        vcpu.write_register("cr3", self.table.root)
        for laddr in (RECURSIVE_PML4, *(WINDOW + (laddr >> 9 & ~7) for laddr in PLACES)):
            assert vcpu.translate(laddr, "r").paddr is None


RIGS = {"x86": (PageTable, X86), "x86 recursive": (PageTable, Recursive), "lpae": (LpaeTable, Lpae)}
"""By name: what is tested, and the contract with a processor of its kind."""


@pytest.mark.parametrize("name", RIGS)
def test_a_table_is_what_a_dictionary_is(name):
    """RMP-04: nothing is lost or made up, and a processor sees just what was put there."""
    machine = RIGS[name][1]
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=25))


def test_every_page_table_is_tested():
    assert implementations(pagetable.PageTable) == {kind for kind, _ in RIGS.values()}
