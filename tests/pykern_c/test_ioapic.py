"""I/O APIC: registers, edges, levels, remote IRR and EOI.

82093AA I/O Advanced Programmable Interrupt Controller datasheet; SDM Vol. 3A, Signaling
Interrupt Servicing Completion.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pykern_c.interrupts import ApicBus, Pending

SELECT, WINDOW, EOI = 0x00, 0x10, 0x40
LOGICAL, STATUS, ACTIVE_LOW, REMOTE_IRR, LEVEL, MASKED = (1 << n for n in range(11, 17))
NO_EOI_BROADCAST = 1 << 12
NONE = Pending(0)


def read(io, index):
    io.write(SELECT, 4, index)
    return io.read(WINDOW, 4)


def write(io, index, value):
    io.write(SELECT, 4, index)
    io.write(WINDOW, 4, value)


def redirect(io, pin, low, destination=0):
    """Program an entry as an operating system does: high half first."""
    write(io, 0x11 + 2 * pin, destination << 24)
    write(io, 0x10 + 2 * pin, low)


@pytest.fixture
def bus():
    bus = ApicBus(2)
    for local in bus.local:
        local.write(0xF0, 4, 0x1FF)
    return bus


def serve(apic):
    """Take the interrupt and end it; return its vector, None if there is none."""
    if apic.intr is None:
        return None
    vector = apic.acknowledge()
    apic.write(0xB0, 4, 0)
    return vector


# ---- registers


def test_reset_masks_every_pin(bus):
    assert [bus.ioapic.entry(pin) for pin in range(24)] == [MASKED] * 24
    assert read(bus.ioapic, 1) == 0x00170020
    assert (read(bus.ioapic, 0), read(bus.ioapic, 2)) == (0, 0)


def test_the_id_has_four_bits_and_the_arbitration_id_follows(bus):
    write(bus.ioapic, 0, 0xFFFFFFFF)
    assert read(bus.ioapic, 0) == read(bus.ioapic, 2) == 0x0F000000


@pytest.mark.parametrize("index", [1, 2])
def test_version_and_arbitration_are_read_only(bus, index):
    before = read(bus.ioapic, index)
    write(bus.ioapic, index, ~before & 0xFFFFFFFF)
    assert read(bus.ioapic, index) == before


@pytest.mark.parametrize("pin", range(24))
def test_entries_keep_exactly_their_writable_bits(bus, pin):
    write(bus.ioapic, 0x10 + 2 * pin, 0xFFFFFFFF)
    write(bus.ioapic, 0x11 + 2 * pin, 0xFFFFFFFF)
    assert bus.ioapic.entry(pin) == 0xFF000000_0001AFFF
    others = [bus.ioapic.entry(n) for n in range(24) if n != pin]
    assert others == [MASKED] * 23


@pytest.mark.parametrize("index", [3, 0x0F, 0x40, 0x90, 0xFF])
def test_registers_that_do_not_exist(bus, index):
    before = bus.ioapic.save()
    write(bus.ioapic, index, 0)
    assert read(bus.ioapic, index) == 0xFFFFFFFF
    assert {**bus.ioapic.save(), "select": 0} == before


def test_the_index_is_one_byte_of_any_access_size(bus):
    for size in (1, 2, 4):
        bus.ioapic.write(SELECT, size, 0xABCDEF01 & ((1 << 8 * size) - 1))
        assert bus.ioapic.read(SELECT, size) == 1


@pytest.mark.parametrize("size", [1, 2, 8])
def test_the_window_takes_32_bit_accesses_only(bus, size):
    bus.ioapic.write(SELECT, 4, 0x10)
    bus.ioapic.write(WINDOW, size, 0x55)
    assert bus.ioapic.entry(0) == MASKED
    assert bus.ioapic.read(WINDOW, size) == (1 << 8 * size) - 1


@pytest.mark.parametrize("offset", [4, 0x14, 0x20, 0x40, 0xFFC])
def test_other_offsets_read_all_ones(bus, offset):
    assert bus.ioapic.read(offset, 4) == 0xFFFFFFFF


# ---- edges


def test_an_edge_is_delivered_once(bus):
    redirect(bus.ioapic, 4, 0x34)
    line = bus.ioapic.line(4)
    line.set(True)
    line.set(True)
    assert serve(bus.local[0]) == 0x34
    assert serve(bus.local[0]) is None
    line.set(False)
    assert serve(bus.local[0]) is None
    line.pulse()
    assert serve(bus.local[0]) == 0x34
    assert bus.local[0].tmr == 0


def test_the_destination_field_chooses_the_cpu(bus):
    redirect(bus.ioapic, 4, 0x34, destination=1)
    bus.ioapic.line(4).pulse()
    assert [local.intr for local in bus.local] == [None, 0x34]


def test_logical_destination(bus):
    for local in bus.local:
        local.write(0xD0, 4, 0xC0 << 24)
    redirect(bus.ioapic, 4, LOGICAL | 0x34, destination=0x80)
    bus.ioapic.line(4).pulse()
    assert [local.intr for local in bus.local] == [0x34, 0x34]


def test_an_edge_on_a_masked_pin_is_lost(bus):
    redirect(bus.ioapic, 4, MASKED | 0x34)
    bus.ioapic.line(4).set(True)
    redirect(bus.ioapic, 4, 0x34)
    assert bus.local[0].intr is None


def test_an_active_low_entry_fires_on_the_falling_edge(bus):
    redirect(bus.ioapic, 4, ACTIVE_LOW | MASKED | 0x34)
    line = bus.ioapic.line(4)
    line.set(True)
    redirect(bus.ioapic, 4, ACTIVE_LOW | 0x34)
    assert bus.local[0].intr is None
    line.set(False)
    assert bus.local[0].intr == 0x34


def test_an_active_low_wire_idles_high(bus):
    redirect(bus.ioapic, 9, MASKED)
    line = bus.ioapic.line(9, active_low=True)
    redirect(bus.ioapic, 9, LEVEL | ACTIVE_LOW | 0x39)
    assert bus.local[0].intr is None
    line.set(True)
    assert bus.local[0].intr == 0x39
    line.set(False)
    assert serve(bus.local[0]) == 0x39
    assert bus.local[0].intr is None


def test_an_edge_to_nobody_is_lost(bus):
    redirect(bus.ioapic, 4, 0x34, destination=9)
    bus.ioapic.line(4).set(True)
    assert bus.ioapic.entry(4) & 0xFFFFFFFF == 0x34
    redirect(bus.ioapic, 4, 0x34)
    assert bus.local[0].intr is None


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(2, Pending.SMI), (4, Pending.NMI), (5, Pending.INIT), (7, Pending.EXTINT)],
)
@pytest.mark.parametrize("trigger", [0, LEVEL])
def test_the_other_delivery_modes_are_edges(bus, mode, expected, trigger):
    redirect(bus.ioapic, 2, trigger | mode << 8)
    bus.ioapic.line(2).set(True)
    assert bus.local[0].pending == expected
    assert not bus.ioapic.entry(2) & REMOTE_IRR


@pytest.mark.parametrize("mode", [3, 6])
def test_reserved_delivery_modes_deliver_nothing(bus, mode):
    redirect(bus.ioapic, 2, mode << 8 | 0x40)
    bus.ioapic.line(2).pulse()
    assert (bus.local[0].pending, bus.local[0].irr) == (NONE, 0)


# ---- levels


def test_the_level_dance(bus):
    io, apic = bus.ioapic, bus.local[0]
    redirect(io, 10, LEVEL | 0x3A)
    line = io.line(10)
    line.set(True)
    assert io.entry(10) == LEVEL | REMOTE_IRR | 0x3A
    assert apic.acknowledge() == 0x3A
    assert apic.tmr == 1 << 0x3A
    line.set(False)
    line.set(True)  # still in service: nothing is sent
    assert apic.irr == 0
    apic.write(0xB0, 4, 0)  # EOI: the line is active, so it comes again
    assert io.entry(10) == LEVEL | REMOTE_IRR | 0x3A
    assert apic.acknowledge() == 0x3A
    line.set(False)
    apic.write(0xB0, 4, 0)
    assert io.entry(10) == LEVEL | 0x3A
    assert apic.pending == NONE


def test_masking_does_not_recall_what_was_accepted(bus):
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    bus.ioapic.line(10).set(True)
    redirect(bus.ioapic, 10, LEVEL | MASKED | 0x3A)
    assert serve(bus.local[0]) == 0x3A
    assert bus.ioapic.entry(10) == LEVEL | MASKED | 0x3A
    assert bus.local[0].intr is None


def test_a_masked_level_comes_when_unmasked(bus):
    bus.ioapic.line(10).set(True)
    redirect(bus.ioapic, 10, LEVEL | MASKED | 0x3A)
    assert bus.local[0].intr is None
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    assert bus.local[0].intr == 0x3A


def test_eoi_of_another_vector_does_not_end_it(bus):
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    bus.ioapic.line(10).set(True)
    bus.ioapic.write(EOI, 4, 0x3B)
    assert bus.ioapic.entry(10) & REMOTE_IRR
    bus.ioapic.write(EOI, 4, 0x3A)
    assert bus.local[0].irr == 1 << 0x3A  # still active: sent again
    assert bus.ioapic.entry(10) & REMOTE_IRR


def test_two_pins_that_share_a_vector_end_together(bus):
    for pin in (10, 11):
        redirect(bus.ioapic, pin, LEVEL | 0x3A)
        bus.ioapic.line(pin).set(True)
    bus.ioapic.line(10).set(False)
    assert serve(bus.local[0]) == 0x3A
    assert not bus.ioapic.entry(10) & REMOTE_IRR
    assert bus.ioapic.entry(11) & REMOTE_IRR
    assert bus.local[0].intr == 0x3A


def test_an_edge_interrupt_of_the_same_vector_sends_no_eoi(bus):
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    bus.ioapic.line(10).set(True)
    bus.local[0].accept(0x3A)  # clears the TMR bit
    assert serve(bus.local[0]) == 0x3A
    assert bus.ioapic.entry(10) & REMOTE_IRR


def test_eoi_suppression_leaves_it_to_the_eoi_register(bus):
    apic = bus.local[0]
    apic.write(0xF0, 4, 0x1FF | NO_EOI_BROADCAST)
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    line = bus.ioapic.line(10)
    line.set(True)
    line.set(False)
    assert serve(apic) == 0x3A
    assert bus.ioapic.entry(10) & REMOTE_IRR
    bus.ioapic.write(EOI, 1, 0x3A)  # 32-bit accesses only
    assert bus.ioapic.entry(10) & REMOTE_IRR
    bus.ioapic.write(EOI, 4, 0x3A)
    assert not bus.ioapic.entry(10) & REMOTE_IRR


def test_switching_to_edge_and_back_ends_it_on_an_io_apic_without_eoi_register(bus):
    redirect(bus.ioapic, 10, LEVEL | 0x3A)
    bus.ioapic.line(10).set(True)
    redirect(bus.ioapic, 10, MASKED | 0x3A)
    assert not bus.ioapic.entry(10) & REMOTE_IRR


def test_a_level_that_nobody_accepts_is_pending_until_somebody_does(bus):
    apic = bus.local[1]
    apic.write(0xF0, 4, 0xFF)
    redirect(bus.ioapic, 10, LEVEL | 0x3A, destination=1)
    bus.ioapic.line(10).set(True)
    assert bus.ioapic.entry(10) & 0xFFFFFFFF == LEVEL | STATUS | 0x3A
    apic.write(0xF0, 4, 0x1FF)
    assert bus.ioapic.entry(10) & 0xFFFFFFFF == LEVEL | REMOTE_IRR | 0x3A
    assert apic.intr == 0x3A


def test_a_pending_level_that_goes_away_is_forgotten(bus):
    redirect(bus.ioapic, 10, LEVEL | 0x3A, destination=7)
    line = bus.ioapic.line(10)
    line.set(True)
    line.set(False)
    assert not bus.ioapic.entry(10) & STATUS


def test_a_logical_id_makes_a_pending_level_arrive(bus):
    redirect(bus.ioapic, 10, LEVEL | LOGICAL | 0x3A, destination=0x40)
    bus.ioapic.line(10).set(True)
    bus.local[1].write(0xD0, 4, 0x40 << 24)
    assert bus.local[1].intr == 0x3A


def test_delivery_status_and_remote_irr_are_read_only(bus):
    redirect(bus.ioapic, 10, LEVEL | REMOTE_IRR | STATUS | 0x3A)
    assert bus.ioapic.entry(10) == LEVEL | 0x3A


@pytest.mark.parametrize("pin", [-1, 24])
def test_there_are_24_pins(bus, pin):
    with pytest.raises(ValueError, match=f"not {pin}"):
        bus.ioapic.line(pin)


class LevelModel(RuleBasedStateMachine):
    """Three level pins to one CPU: nothing is lost, nothing comes that was not asked for.

    The model has one word per pin for "in service" and no delivery logic: it says what must be
    true after each step.
    """

    PINS = (3, 9, 17)

    @initialize(shared=st.booleans())
    def build(self, shared):
        self.bus = ApicBus(1)
        self.io, self.apic = self.bus.ioapic, self.bus.local[0]
        self.apic.write(0xF0, 4, 0x1FF)
        self.vector = {pin: 0x50 if shared else 0x50 + pin * 4 for pin in self.PINS}
        self.active = dict.fromkeys(self.PINS, False)
        self.masked = dict.fromkeys(self.PINS, True)
        self.in_service = dict.fromkeys(self.PINS, False)
        for pin in self.PINS:
            redirect(self.io, pin, LEVEL | MASKED | self.vector[pin])

    def settle(self):
        for pin in self.PINS:
            if self.active[pin] and not self.masked[pin]:
                self.in_service[pin] = True

    @rule(pin=st.sampled_from(PINS), level=st.booleans())
    def drive(self, pin, level):
        self.io.line(pin).set(level)
        self.active[pin] = level
        self.settle()

    @rule(pin=st.sampled_from(PINS), masked=st.booleans())
    def mask(self, pin, masked):
        redirect(self.io, pin, LEVEL | masked << 16 | self.vector[pin])
        self.masked[pin] = masked
        self.settle()

    def end(self, vector):
        for pin in self.PINS:
            if self.vector[pin] == vector:
                self.in_service[pin] = False
        self.settle()

    @rule()
    def serve(self):
        waiting = [self.vector[pin] for pin in self.PINS if self.in_service[pin]]
        served = serve(self.apic)
        assert served == max(waiting, default=None)
        if served is not None:
            self.end(served)

    @rule(data=st.data())
    def directed_eoi(self, data):
        vector = data.draw(st.sampled_from(sorted(set(self.vector.values()))))
        if any(self.in_service[p] and self.vector[p] == vector for p in self.PINS):
            return  # would let IRR and remote IRR drift apart, legally
        self.io.write(EOI, 4, vector)

    @invariant()
    def agrees(self):
        for pin in self.PINS:
            expected = LEVEL | self.masked[pin] << 16 | self.vector[pin]
            expected |= REMOTE_IRR if self.in_service[pin] else 0
            assert self.io.entry(pin) == expected


TestLevelModel = LevelModel.TestCase
TestLevelModel.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True
)
