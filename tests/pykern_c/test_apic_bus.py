"""Who receives an interrupt message: against a model of the SDM's destination modes.

SDM Vol. 3A, Issuing Interprocessor Interrupts; Determining IPI Destination; x2APIC Mode.
"""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern_c.interrupts import ApicBus, GeneralProtectionError, Pending

ICR, ICR_HIGH, LDR, DFR, SVR = 0x300, 0x310, 0xD0, 0xE0, 0xF0
BASE, X2_ICR = 0x1B, 0x830
FIXED, LOWEST, SMI, NMI, INIT, SIPI = (n << 8 for n in (0, 1, 2, 4, 5, 6))
LOGICAL, ASSERT, LEVEL = 1 << 11, 1 << 14, 1 << 15
SELF, ALL, OTHERS = 1 << 18, 2 << 18, 3 << 18
MODES = ("disabled", "xapic", "x2apic")


@dataclass
class Node:
    """One local APIC of the model."""

    index: int
    mode: str
    ldr: int = 0
    flat: int = 0xF

    def matches(self, mda, logical):
        """Whether a 32-bit destination names it (8-bit broadcasts have been widened)."""
        if self.mode == "disabled":
            return False
        if mda == 0xFFFFFFFF:
            return True
        if not logical:
            return mda == self.index
        if self.mode == "x2apic":
            return mda >> 16 == self.index >> 4 and bool(mda >> (self.index & 15) & 1)
        if mda > 0xFF:
            return False
        if self.flat == 0xF:
            return bool(mda & self.ldr)
        return self.flat == 0 and mda >> 4 == self.ldr >> 4 and bool(mda & self.ldr & 15)


def build(nodes, software=True):
    """Make a bus whose local APICs are set up as the model says."""
    bus = ApicBus(len(nodes))
    for node, local in zip(nodes, bus.local, strict=True):
        if software:
            local.write(SVR, 4, 0x1FF)
        local.write(LDR, 4, node.ldr << 24)
        local.write(DFR, 4, node.flat << 28)
        if node.mode == "x2apic":
            local.write_msr(BASE, local.read_msr(BASE) | 0xC00)
        if node.mode == "disabled":
            local.write_msr(BASE, 0xFEE00000)
    return bus


def send(bus, sender, destination, command):
    """Write the ICR of a CPU in its own mode."""
    local = bus.local[sender]
    if local.read_msr(BASE) & 0x400:
        local.write_msr(X2_ICR, destination << 32 | command)
        return
    local.write(ICR_HIGH, 4, destination << 24)
    local.write(ICR, 4, command)


def receivers(bus, what=Pending.NMI):
    """Return who has something pending, and consume it."""
    return {n for n, local in enumerate(bus.local) if local.take(what)}


def simple(count, mode="xapic"):
    return build([Node(i, mode, 1 << (i & 7)) for i in range(count)])


nodes = st.lists(
    st.tuples(
        st.sampled_from(["xapic", "xapic", "x2apic", "x2apic", "disabled"]),
        st.integers(0, 255),
        st.sampled_from([0xF, 0xF, 0, 0, 5]),
    ),
    min_size=1,
    max_size=40,
).map(lambda rows: [Node(i, mode, ldr, flat) for i, (mode, ldr, flat) in enumerate(rows)])


@given(nodes, st.data())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_destinations_agree_with_the_model(model, data):
    bus = build(model)
    active = [node.index for node in model if node.mode != "disabled"]
    if not active:
        return
    for _ in range(8):
        sender = data.draw(st.sampled_from(active))
        wide = model[sender].mode == "x2apic"
        destination = data.draw(
            st.integers(0, 64)
            | st.sampled_from([0xFF, 0xF1, 0x3F])
            | (
                st.sampled_from([0xFFFFFFFF, 0x10001, 0x2FFFF, 0xFFFF, 0x1000F, 0x100])
                if wide
                else st.integers(0, 255)
            )
        )
        logical = data.draw(st.booleans())
        shorthand = data.draw(st.sampled_from([0, 0, 0, SELF, ALL, OTHERS]))
        send(bus, sender, destination, NMI | ASSERT | shorthand | logical << 11)
        mda = 0xFFFFFFFF if destination == 0xFF and not wide else destination
        expected = {
            0: {n.index for n in model if n.matches(mda, logical)},
            SELF: {sender},
            ALL: set(active),
            OTHERS: set(active) - {sender},
        }[shorthand]
        assert receivers(bus) == expected


def test_physical_destination_in_a_full_house():
    bus = simple(64)
    for target in range(64):
        send(bus, 0, target, NMI | ASSERT)
        assert receivers(bus) == {target}


def test_x2apic_logical_ids_reach_beyond_eight():
    bus = simple(64, "x2apic")
    for target in range(64):
        send(bus, 5, (target >> 4) << 16 | 1 << (target & 15), NMI | ASSERT | LOGICAL)
        assert receivers(bus) == {target}
    send(bus, 5, 0x0002_FFFF, NMI | ASSERT | LOGICAL)
    assert receivers(bus) == set(range(32, 48))


@pytest.mark.parametrize("target", [0, 17, 63])
def test_the_x2apic_ldr_is_derived_from_the_id(target):
    bus = simple(64, "x2apic")
    assert bus.local[target].read_msr(0x80D) == (target >> 4) << 16 | 1 << (target & 15)
    assert bus.targets(bus.local[target].read_msr(0x80D), logical=True) == (target,)


def test_flat_logical_addresses_sets():
    bus = simple(8)
    send(bus, 0, 0b10100101, NMI | ASSERT | LOGICAL)
    assert receivers(bus) == {0, 2, 5, 7}


def test_broadcast_reaches_apics_without_a_logical_id():
    bus = build([Node(0, "xapic"), Node(1, "x2apic"), Node(2, "xapic", flat=0)])
    send(bus, 0, 0xFF, NMI | ASSERT | LOGICAL)
    assert receivers(bus) == {0, 1, 2}


def test_ffh_is_an_ordinary_id_for_an_x2apic_sender():
    bus = simple(3, "x2apic")
    send(bus, 0, 0xFF, NMI | ASSERT)
    assert receivers(bus) == set()


# ---- delivery modes


@pytest.mark.parametrize("mode", ["xapic", "x2apic"])
def test_init_sipi_sipi(mode):
    bus = simple(4, mode)
    send(bus, 0, 0, INIT | ASSERT | LEVEL | OTHERS)
    send(bus, 0, 0, INIT | LEVEL | OTHERS)  # de-assert: nothing since the Pentium 4
    assert receivers(bus, Pending.INIT) == {1, 2, 3}
    send(bus, 0, 2, SIPI | ASSERT | 0x8F)
    send(bus, 0, 2, SIPI | ASSERT | 0x8F)
    assert [local.take_sipi() for local in bus.local] == [None, None, 0x8F, None]


def test_init_deassert_does_nothing():
    bus = simple(2)
    send(bus, 0, 0, INIT | LEVEL | OTHERS)
    assert receivers(bus, Pending.INIT) == set()


def test_smi_is_recorded():
    bus = simple(2)
    send(bus, 0, 1, SMI | ASSERT)
    assert [local.smi_count for local in bus.local] == [0, 1]


def test_fixed_ipis_are_edges_whatever_the_trigger_bit_says():
    bus = simple(2)
    send(bus, 0, 1, FIXED | ASSERT | LEVEL | 0x40)
    assert (bus.local[1].irr, bus.local[1].tmr) == (1 << 0x40, 0)


@pytest.mark.parametrize("mode", [3 << 8, 7 << 8])
def test_reserved_delivery_modes_deliver_nothing(mode):
    bus = simple(2)
    before = [local.save() for local in bus.local]
    send(bus, 0, 0, mode | ASSERT | ALL | 0x40)
    bus.local[0].write(ICR, 4, 0)
    after = [local.save() for local in bus.local]
    before[0].pop("icr"), after[0].pop("icr")
    after[0]["esr_logged"] = 0  # the null command above has vector 0
    assert after == before


def test_an_ipi_to_nobody_is_lost():
    bus = simple(2)
    send(bus, 0, 9, FIXED | ASSERT | 0x40)
    assert [local.irr for local in bus.local] == [0, 0]


def test_delivery_is_always_complete():
    bus = simple(2)
    send(bus, 0, 1, FIXED | ASSERT | 0x40)
    assert bus.local[0].read(ICR, 4) == ASSERT | 0x40


def test_self_ipi_msr_leaves_icr_alone():
    bus = simple(2, "x2apic")
    send(bus, 0, 1, FIXED | ASSERT | 0x40)
    bus.local[0].write_msr(0x83F, 0x55)
    assert bus.local[0].acknowledge() == 0x55
    assert bus.local[0].read_msr(X2_ICR) == 1 << 32 | ASSERT | 0x40


# ---- lowest priority


def test_lowest_priority_goes_to_the_lowest_processor_priority():
    bus = simple(4)
    for local, tpr in zip(bus.local, (0x50, 0x30, 0x20, 0x40), strict=True):
        local.write(0x80, 4, tpr)
    send(bus, 0, 0xFF, LOWEST | ASSERT | LOGICAL | 0x61)
    assert [local.irr for local in bus.local] == [0, 0, 1 << 0x61, 0]


def test_lowest_priority_counts_what_is_in_service():
    bus = simple(2)
    bus.local[0].accept(0x90)
    bus.local[0].acknowledge()
    bus.local[1].write(0x80, 4, 0x80)
    send(bus, 0, 3, LOWEST | ASSERT | LOGICAL | 0x61)
    assert bus.local[1].irr == 1 << 0x61


def test_lowest_priority_goes_around_among_equals():
    bus = simple(4)
    order = []
    for _ in range(6):
        send(bus, 0, 0b1011, LOWEST | ASSERT | LOGICAL | 0x61)
        order.append(next(n for n, local in enumerate(bus.local) if local.intr))
        bus.local[order[-1]].acknowledge()
        bus.local[order[-1]].eoi()
    assert order == [0, 1, 3, 0, 1, 3]


def test_lowest_priority_skips_software_disabled_apics():
    bus = simple(3)
    bus.local[0].write(SVR, 4, 0xFF)
    bus.local[2].write(0x80, 4, 0xF0)
    bus.local[1].write(0x80, 4, 0xE0)
    send(bus, 0, 0, LOWEST | ASSERT | ALL | 0x61)
    assert [bool(local.irr) for local in bus.local] == [False, True, False]


@given(st.lists(st.integers(0, 255), min_size=2, max_size=12), st.integers(0, 4095))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_exactly_one_apic_wins_the_arbitration(priorities, mask):
    bus = simple(len(priorities), "x2apic")
    for local, tpr in zip(bus.local, priorities, strict=True):
        local.write_msr(0x808, tpr)
    send(bus, 0, mask, LOWEST | ASSERT | LOGICAL | 0xFF)
    named = [n for n in range(len(priorities)) if mask >> n & 1]
    winners = [n for n, local in enumerate(bus.local) if local.irr]
    if not named:
        assert winners == []
        return
    lowest = min(priorities[n] for n in named)
    assert winners == [next(n for n in named if priorities[n] == lowest)]


# ---- message-signalled interrupts


def test_msi_physical_and_logical():
    bus = simple(4)
    assert bus.msi(0xFEE02000, 0x0051)
    assert bus.local[2].irr == 1 << 0x51
    assert bus.msi(0xFEE0A004, 0x0052)
    assert [local.irr >> 0x52 & 1 for local in bus.local] == [0, 1, 0, 1]


def test_msi_level_sets_tmr_and_deassert_is_nothing():
    bus = simple(1)
    assert not bus.msi(0xFEE00000, 0x8051)
    assert bus.local[0].irr == 0
    assert bus.msi(0xFEE00000, 0xC051)
    assert bus.local[0].tmr == 1 << 0x51


def test_msi_delivery_modes():
    bus = simple(2)
    assert bus.msi(0xFEE01000, NMI)
    assert bus.msi(0xFEE01000, 7 << 8)
    assert bus.local[1].pending == Pending.NMI | Pending.EXTINT
    assert not bus.msi(0xFEE01000, SIPI)


# ---- errors


@pytest.mark.parametrize("mode", [FIXED, LOWEST])
@pytest.mark.parametrize("vector", [0, 15])
def test_an_illegal_vector_is_logged_by_sender_and_receiver(mode, vector):
    bus = simple(2)
    send(bus, 0, 1, mode | ASSERT | vector)
    for local in bus.local:
        local.write(0x280, 4, 0)
    assert [local.read(0x280, 4) for local in bus.local] == [0x20, 0x40]
    assert bus.local[1].irr == 0


def test_a_vector_of_16_is_legal():
    bus = simple(2)
    send(bus, 0, 1, FIXED | ASSERT | 16)
    bus.local[0].write(0x280, 4, 0)
    assert bus.local[0].read(0x280, 4) == 0
    assert bus.local[1].irr == 1 << 16


def test_an_illegal_self_ipi_is_logged_twice():
    bus = simple(1, "x2apic")
    bus.local[0].write_msr(0x83F, 3)
    bus.local[0].write_msr(0x828, 0)
    assert bus.local[0].read_msr(0x828) == 0x60


def test_the_icr_of_another_mode_is_out_of_reach():
    with pytest.raises(GeneralProtectionError, match="WRMSR 0x830"):
        simple(1).local[0].write_msr(X2_ICR, 0)
