"""Local APIC: priorities, acceptance, EOI, LINT pins, resets.

The oracle for priorities is a slow model written from the SDM with Python sets.
SDM Vol. 3A, Advanced Programmable Interrupt Controller (APIC): Handling Interrupts; Local
Interrupts; Local APIC State.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pykern_c.interrupts import ApicBus, Pending

EOI, TPR, SVR, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1 = 0xB0, 0x80, 0xF0, 0x340, 0x350, 0x360
MASKED, LEVEL, REMOTE_IRR, ACTIVE_LOW = 1 << 16, 1 << 15, 1 << 14, 1 << 13
EXTINT, NMI, INIT, SMI = 7 << 8, 4 << 8, 5 << 8, 2 << 8
NONE = Pending(0)


def enabled(apic):
    """Software-enable an APIC with spurious vector FFh."""
    apic.write(SVR, 4, 0x1FF)
    return apic


@pytest.fixture
def apic():
    return enabled(ApicBus(1).local[0])


@pytest.fixture
def raw():
    return ApicBus(1).local[0]


# ---- priorities


def test_the_highest_vector_comes_first(apic):
    for vector in (0x31, 0xFE, 0x10, 0x80):
        apic.accept(vector)
    taken = []
    while Pending.INTR in apic.pending:
        taken.append(apic.acknowledge())
        apic.eoi()
    assert taken == [0xFE, 0x80, 0x31, 0x10]


def test_the_same_class_does_not_nest(apic):
    apic.accept(0x41)
    apic.acknowledge()
    apic.accept(0x4F)
    assert (apic.intr, apic.pending) == (None, NONE)
    apic.eoi()
    assert apic.intr == 0x4F


def test_a_higher_class_nests(apic):
    apic.accept(0x41)
    apic.acknowledge()
    apic.accept(0x50)
    assert apic.acknowledge() == 0x50
    assert apic.isr == 1 << 0x41 | 1 << 0x50
    apic.eoi()
    assert apic.isr == 1 << 0x41


def test_every_vector_against_every_task_priority(apic):
    for tpr in range(0, 256, 5):
        apic.write(TPR, 4, tpr)
        for vector in range(16, 256):
            apic.accept(vector)
            expected = vector if vector >> 4 > tpr >> 4 else None
            assert apic.intr == expected, (tpr, vector)
            apic.write(TPR, 4, 0)
            apic.acknowledge()
            apic.eoi()
            apic.write(TPR, 4, tpr)


def test_a_second_request_waits_in_irr_and_a_third_is_merged(apic):
    apic.accept(0x40)
    apic.acknowledge()
    apic.accept(0x40)
    apic.accept(0x40)
    apic.eoi()
    assert apic.acknowledge() == 0x40
    apic.eoi()
    assert apic.intr is None


def test_raising_tpr_between_request_and_acknowledge_gives_the_spurious_vector(apic):
    apic.write(SVR, 4, 0x1E7)
    apic.accept(0x40)
    apic.write(TPR, 4, 0x40)
    assert apic.acknowledge() == 0xE7
    assert (apic.isr, apic.irr) == (0, 1 << 0x40)


def test_lowering_tpr_calls_the_cpu(apic):
    apic.write(TPR, 4, 0xF0)
    apic.accept(0x40)
    apic.attention = False
    apic.write(TPR, 4, 0x30)
    assert apic.attention
    assert apic.pending == Pending.INTR


def test_an_undeliverable_request_does_not_call_the_cpu(apic):
    apic.write(TPR, 4, 0xF0)
    apic.attention = False
    apic.accept(0x40)
    assert not apic.attention


def test_eoi_with_nothing_in_service_does_nothing(apic):
    apic.accept(0x40)
    before = apic.save()
    apic.eoi()
    assert apic.save() == before


def test_cr8_is_the_class_of_tpr(apic):
    apic.write(TPR, 4, 0x5A)
    assert apic.cr8 == 5
    apic.cr8 = 0xC
    assert apic.read(TPR, 4) == 0xC0


@given(st.integers(0, 255), st.sets(st.integers(16, 255), max_size=3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_ppr(tpr, in_service):
    """PPR[7:4] is the larger class; PPR[3:0] is TPR[3:0] where TPR decides, else 0."""
    apic = enabled(ApicBus(1).local[0])
    for vector in sorted({v >> 4: v for v in in_service}.values()):
        apic.accept(vector)
        assert apic.acknowledge() == vector
    highest = max((apic.isr >> v & 1 and v for v in range(256)), default=0)
    apic.write(TPR, 4, tpr)
    expected = tpr if tpr >> 4 >= highest >> 4 else highest & 0xF0
    assert apic.ppr == expected == apic.read(0xA0, 4)


class PriorityModel(RuleBasedStateMachine):
    """IRR, ISR, TMR, TPR and SVR as sets and numbers, straight from the SDM's prose."""

    def __init__(self):
        super().__init__()
        self.apic = ApicBus(1).local[0]
        self.irr, self.isr, self.tmr = set(), set(), set()
        self.tpr = 0
        self.spurious, self.software_enabled = 0xFF, False

    def ppr(self):
        isrv = max(self.isr, default=0)
        if self.tpr // 16 >= isrv // 16:
            return self.tpr
        return isrv // 16 * 16

    def deliverable(self):
        best = max(self.irr, default=None)
        return best if best is not None and best // 16 > self.ppr() // 16 else None

    @rule(vector=st.integers(0, 255), level=st.booleans())
    def message(self, vector, level):
        accepted = self.apic.accept(vector, level=level)
        assert accepted == self.software_enabled
        if not self.software_enabled or vector < 16:
            return
        self.irr.add(vector)
        (self.tmr.add if level else self.tmr.discard)(vector)

    @rule()
    def acknowledge(self):
        expected = self.deliverable()
        if expected is None:
            assert self.apic.acknowledge() == self.spurious
            return
        assert self.apic.acknowledge() == expected
        self.irr.remove(expected)
        self.isr.add(expected)

    @rule(mmio=st.booleans())
    def eoi(self, mmio):
        self.apic.write(EOI, 4, 0) if mmio else self.apic.eoi()
        self.isr.discard(max(self.isr, default=None))

    @rule(tpr=st.integers(0, 255))
    def write_tpr(self, tpr):
        self.apic.write(TPR, 4, tpr)
        self.tpr = tpr

    @rule(cr8=st.integers(0, 15))
    def write_cr8(self, cr8):
        self.apic.cr8 = cr8
        self.tpr = cr8 * 16

    @rule(vector=st.integers(0, 255), on=st.sampled_from([True, True, False]))
    def write_svr(self, vector, on):
        self.apic.write(SVR, 4, vector | on << 8)
        self.spurious, self.software_enabled = vector, on

    @rule()
    def reload(self):
        other = ApicBus(1).local[0]
        other.load(self.apic.save())
        self.apic = other

    @invariant()
    def agrees(self):
        assert self.apic.irr == sum(1 << v for v in self.irr)
        assert self.apic.isr == sum(1 << v for v in self.isr)
        assert self.apic.tmr == sum(1 << v for v in self.tmr)
        assert self.apic.ppr == self.ppr()
        assert self.apic.intr == self.deliverable()
        assert (Pending.INTR in self.apic.pending) == (self.deliverable() is not None)


TestPriorityModel = PriorityModel.TestCase
TestPriorityModel.settings = settings(
    max_examples=80, stateful_step_count=80, deadline=None, derandomize=True
)


# ---- software and global disabling


def test_a_software_disabled_apic_refuses_fixed_but_takes_the_rest(raw):
    assert not raw.accept(0x40)
    assert raw.irr == 0
    for mode in (2, 4, 5, 6):
        assert raw.accept(0x12, mode=mode)
    assert raw.pending == Pending.SMI | Pending.NMI | Pending.INIT | Pending.SIPI


def test_what_was_requested_before_disabling_is_held(apic):
    apic.accept(0x40)
    apic.write(SVR, 4, 0xFF)
    assert apic.irr == 1 << 0x40
    assert apic.acknowledge() == 0x40


def test_software_disabling_masks_the_lvt_and_keeps_it_masked(apic):
    offsets = (0x2F0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370)
    for offset in offsets:
        apic.write(offset, 4, 0x40)
    apic.write(SVR, 4, 0xFF)
    assert [apic.read(o, 4) for o in offsets] == [MASKED | 0x40] * 7
    for offset in offsets:
        apic.write(offset, 4, 0x41)
    assert [apic.read(o, 4) for o in offsets] == [MASKED | 0x41] * 7
    apic.write(SVR, 4, 0x1FF)
    assert [apic.read(o, 4) for o in offsets] == [MASKED | 0x41] * 7


def test_global_disabling_makes_the_pins_intr_and_nmi(apic):
    apic.accept(0x40)
    apic.write_msr(0x1B, 0xFEE00100)
    assert apic.intr is None
    assert apic.pending == NONE
    apic.lint(0).set(True)
    assert apic.pending == Pending.EXTINT
    apic.lint(1).set(True)
    assert apic.pending == Pending.EXTINT | Pending.NMI
    apic.lint(0).set(False)
    assert apic.pending == Pending.NMI


def test_a_globally_disabled_apic_hears_no_messages():
    bus = ApicBus(2)
    bus.local[1].write_msr(0x1B, 0xFEE00000)
    enabled(bus.local[0]).write(0x310, 4, 1 << 24)
    bus.local[0].write(0x300, 4, 0x4400)
    assert bus.local[1].pending == NONE


# ---- SIPI and INIT


def test_a_start_up_ipi_carries_its_vector(raw):
    assert raw.take_sipi() is None
    raw.accept(0x9A, mode=6)
    assert raw.take_sipi() == 0x9A
    assert raw.take_sipi() is None


def test_the_first_of_two_start_up_ipis_counts(raw):
    raw.accept(0x08, mode=6)
    raw.accept(0x09, mode=6)
    assert raw.take_sipi() == 0x08


def test_init_overtakes_an_older_start_up_ipi(raw):
    raw.accept(0x08, mode=6)
    raw.accept(0, mode=5)
    assert raw.pending == Pending.INIT


def test_a_start_up_ipi_after_init_survives_the_reset(raw):
    raw.accept(0, mode=5)
    raw.accept(0x08, mode=6)
    assert raw.take(Pending.INIT)
    raw.init_reset()
    assert raw.take_sipi() == 0x08


def test_take_consumes(raw):
    raw.accept(0, mode=4)
    assert raw.take(Pending.NMI)
    assert not raw.take(Pending.NMI)


def test_smis_are_counted(raw):
    raw.accept(0, mode=2)
    raw.accept(0, mode=2)
    assert raw.smi_count == 2


def test_an_ext_int_message_waits_for_its_inta_cycle(apic):
    apic.accept(0, mode=7)
    assert apic.pending == Pending.EXTINT
    apic.extint_done()
    assert apic.pending == NONE


# ---- LINT pins


def test_lint0_passes_the_8259_through(apic):
    apic.lint(0).set(True)
    assert apic.pending == NONE  # masked after reset
    apic.write(LVT_LINT0, 4, EXTINT)
    assert apic.pending == Pending.EXTINT
    apic.extint_done()
    assert apic.pending == Pending.EXTINT  # a level: the 8259 lowers it
    apic.lint(0).set(False)
    assert apic.pending == NONE


def test_virtual_wire_mode_connects_the_8259_to_the_bsp_only():
    bus = ApicBus(2)
    for local in bus.local:
        local.virtual_wire()
        assert local.read(SVR, 4) == 0x1FF
    bus.lint(0).set(True)
    assert [local.pending for local in bus.local] == [Pending.EXTINT, NONE]
    bus.lint(1).set(True)
    assert [Pending.NMI in local.pending for local in bus.local] == [True, True]


@pytest.mark.parametrize(
    ("mode", "expected"), [(NMI, Pending.NMI), (SMI, Pending.SMI), (INIT, Pending.INIT)]
)
@pytest.mark.parametrize("trigger", [0, LEVEL])
@pytest.mark.parametrize("pin", [0, 1])
def test_lint_modes_that_are_edges_whatever_the_trigger_bit_says(
    apic, pin, mode, expected, trigger
):
    apic.write(LVT_LINT0 + 16 * pin, 4, mode | trigger)
    line = apic.lint(pin)
    line.set(True)
    assert apic.take(expected)
    line.set(True)
    assert not apic.take(expected)
    line.set(False)
    line.set(True)
    assert apic.take(expected)


def test_a_masked_pin_loses_its_edge(apic):
    apic.lint(1).set(True)
    apic.write(LVT_LINT1, 4, NMI)
    assert apic.pending == NONE


def test_an_active_low_pin_fires_on_the_falling_edge(apic):
    line = apic.lint(1)
    line.set(True)
    apic.write(LVT_LINT1, 4, NMI | ACTIVE_LOW)
    assert apic.pending == NONE
    line.set(False)
    assert apic.pending == Pending.NMI


def test_a_level_triggered_lint0_comes_again_until_it_is_released(apic):
    apic.write(LVT_LINT0, 4, LEVEL | 0x45)
    line = apic.lint(0)
    line.set(True)
    assert apic.read(LVT_LINT0, 4) == LEVEL | REMOTE_IRR | 0x45
    assert apic.acknowledge() == 0x45
    assert apic.tmr == 1 << 0x45
    apic.eoi()
    assert apic.read(LVT_LINT0, 4) == LEVEL | REMOTE_IRR | 0x45
    assert apic.acknowledge() == 0x45
    line.set(False)
    apic.eoi()
    assert apic.read(LVT_LINT0, 4) == LEVEL | 0x45
    assert apic.pending == NONE


def test_a_level_triggered_lint0_in_service_is_not_requested_twice(apic):
    apic.write(LVT_LINT0, 4, LEVEL | 0x45)
    line = apic.lint(0)
    line.set(True)
    apic.acknowledge()
    line.set(False)
    line.set(True)
    assert apic.irr == 0


def test_a_masked_level_at_lint0_comes_when_unmasked(apic):
    apic.write(LVT_LINT0, 4, MASKED | LEVEL | 0x45)
    apic.lint(0).set(True)
    assert apic.irr == 0
    apic.write(LVT_LINT0, 4, LEVEL | 0x45)
    assert apic.irr == 1 << 0x45


def test_lint0_leaves_service_when_it_is_made_an_edge(apic):
    apic.write(LVT_LINT0, 4, LEVEL | 0x45)
    apic.lint(0).set(True)
    apic.write(LVT_LINT0, 4, 0x45)
    assert apic.read(LVT_LINT0, 4) == 0x45


def test_an_edge_triggered_lint0_comes_once(apic):
    apic.write(LVT_LINT0, 4, 0x45)
    apic.lint(0).set(True)
    assert apic.acknowledge() == 0x45
    apic.eoi()
    assert (apic.pending, apic.tmr) == (NONE, 0)


def test_lint1_has_no_level_mode(apic):
    apic.write(LVT_LINT1, 4, LEVEL | 0x45)
    apic.lint(1).set(True)
    assert apic.acknowledge() == 0x45
    apic.eoi()
    assert apic.pending == NONE


def test_there_are_two_lint_pins(apic):
    with pytest.raises(ValueError, match="LINT2"):
        apic.lint(2)


def test_the_performance_counter_entry_delivers_what_it_says(apic):
    apic.write(LVT_PERFORMANCE, 4, NMI)
    apic.local_interrupt(3)
    assert apic.take(Pending.NMI)
    apic.write(LVT_PERFORMANCE, 4, 0x77)
    apic.local_interrupt(3)
    assert apic.acknowledge() == 0x77


def test_a_masked_local_source_is_silent(apic):
    apic.local_interrupt(3)
    assert (apic.pending, apic.irr) == (NONE, 0)


# ---- resets


def dirty(apic):
    """Put something into every register."""
    enabled(apic)
    for offset, value in (
        (0xD0, 0x5A000000),
        (0xE0, 0x0FFFFFFF),
        (0x310, 3 << 24),
        (0x3E0, 0xB),
        (0x320, 0x20040),
        (0x380, 1000),
        (0x340, 0x77),
        (TPR, 0x22),
    ):
        apic.write(offset, 4, value)
    for vector in (0x90, 0x91, 3):
        apic.accept(vector, level=True)
    apic.acknowledge()
    apic.write(0x280, 4, 0)
    apic.accept(0, mode=4)
    apic.accept(0, mode=7)
    return apic


RESET_VALUES = {
    0x80: 0,
    0xA0: 0,
    0xD0: 0,
    0xE0: 0xFFFFFFFF,
    0xF0: 0xFF,
    0x280: 0,
    0x2F0: MASKED,
    0x300: 0,
    0x310: 0,
    0x320: MASKED,
    0x330: MASKED,
    0x340: MASKED,
    0x350: MASKED,
    0x360: MASKED,
    0x370: MASKED,
    0x380: 0,
    0x390: 0,
    0x3E0: 0,
    **dict.fromkeys(range(0x100, 0x280, 0x10), 0),
}


@pytest.mark.parametrize("how", ["reset", "init_reset"])
def test_the_state_after_reset_and_init(how):
    apic = dirty(ApicBus(3).local[2])
    getattr(apic, how)()
    assert {offset: apic.read(offset, 4) for offset in RESET_VALUES} == RESET_VALUES
    assert apic.read(0x20, 4) == 2 << 24
    assert apic.pending == NONE
    assert apic.timer_deadline is None


def test_init_keeps_the_base_and_reset_does_not(apic):
    apic.write_msr(0x1B, 0xFED00900)
    apic.init_reset()
    assert apic.read_msr(0x1B) == 0xFED00900
    apic.reset()
    assert apic.read_msr(0x1B) == 0xFEE00900


def test_init_keeps_x2apic_mode(apic):
    apic.write_msr(0x1B, 0xFEE00D00)
    apic.write_msr(0x808, 0x50)
    apic.init_reset()
    assert apic.read_msr(0x1B) == 0xFEE00D00
    assert apic.read_msr(0x808) == 0


def test_only_cpu_0_is_the_bootstrap_processor():
    bases = [local.read_msr(0x1B) for local in ApicBus(3).local]
    assert bases == [0xFEE00900, 0xFEE00800, 0xFEE00800]


def test_reset_is_idempotent(apic):
    dirty(apic).reset()
    once = apic.save()
    apic.reset()
    assert apic.save() == once == ApicBus(1).local[0].save()


def test_save_and_load_carry_everything():
    bus = ApicBus(3)
    for local in bus.local:
        dirty(local)
    bus.ioapic.write(0, 4, 0x12)
    bus.ioapic.write(0x10, 4, 0x45)
    bus.ioapic.line(5).set(True)
    other = ApicBus(3)
    other.load(bus.save())
    assert other.save() == bus.save()
    assert other.local[1].attention
    assert other.local[1].intr == bus.local[1].intr


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ValueError, match="3 local APICs, this bus has 2"):
        ApicBus(2).load(ApicBus(3).save())


@pytest.mark.parametrize("cpus", [0, 65])
def test_a_bus_has_1_to_64_local_apics(cpus):
    with pytest.raises(ValueError, match=f"not {cpus}"):
        ApicBus(cpus)
