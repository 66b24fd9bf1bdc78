"""Local APIC registers: the xAPIC page and the x2APIC MSRs.

SDM Vol. 3A, Local APIC Register Address Map; x2APIC Register Address Space; Reserved Bit
Checking; x2APIC State Transitions; Error Handling.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pykern_c.interrupts import ApicBus, GeneralProtectionError, Pending

MASKED = 1 << 16
BASE = 0x1B
X2 = 0xFEE00D00

# Offsets in the SDM's table "Local APIC Register Address Map".
READ_ONLY = [0x20, 0x30, 0x90, 0xA0, 0xC0, 0x390, *range(0x100, 0x280, 0x10)]
WRITABLE = {  # offset: bits that read back (software-enabled)
    0x80: 0xFF,
    0xD0: 0xFF000000,
    0xE0: 0xF0000000,
    0xF0: 0x11FF,
    0x2F0: 0x107FF,
    0x310: 0xFF000000,
    0x320: 0x700FF,
    0x330: 0x107FF,
    0x340: 0x107FF,
    0x350: 0x1A7FF,
    0x360: 0x1A7FF,
    0x370: 0x100FF,
    0x380: 0xFFFFFFFF,
    0x3E0: 0xB,
}
EXISTING = sorted({*READ_ONLY, *WRITABLE, 0xB0, 0x280, 0x300})
RESERVED = [offset for offset in range(0, 0x1000, 0x10) if offset not in EXISTING]

# MSRs in the SDM's table "Local APIC Register Address Map Supported by x2APIC", with the bits
# that a WRMSR may set.
X2_READ_ONLY = [0x802, 0x803, 0x80A, 0x80D, *range(0x810, 0x828), 0x839]
X2_WRITE_ONLY = [0x80B, 0x83F]
X2_LEGAL = {
    0x808: 0xFF,
    0x80B: 0,
    0x80F: 0x11FF,
    0x828: 0,
    0x82F: 0x117FF,
    0x830: 0xFFFFFFFF000CDFFF,
    0x832: 0x710FF,
    0x833: 0x117FF,
    0x834: 0x117FF,
    0x835: 0x1F7FF,
    0x836: 0x1F7FF,
    0x837: 0x110FF,
    0x838: 0xFFFFFFFF,
    0x83E: 0xB,
    0x83F: 0xFF,
}


@pytest.fixture
def apic():
    local = ApicBus(1).local[0]
    local.write(0xF0, 4, 0x1FF)
    return local


@pytest.fixture
def x2():
    local = ApicBus(2).local[1]
    local.write(0xF0, 4, 0x1FF)
    local.write_msr(BASE, 0xFEE00C00)
    return local


def errors(apic):
    apic.write(0x280, 4, 0)
    return apic.read(0x280, 4)


# ---- xAPIC


def test_version_names_an_integrated_apic_with_seven_lvt_entries(apic):
    assert apic.read(0x30, 4) == 1 << 24 | 6 << 16 | 0x15


@pytest.mark.parametrize("offset", READ_ONLY)
def test_read_only_registers_ignore_writes_without_an_error(apic, offset):
    before = apic.read(offset, 4)
    apic.write(offset, 4, ~before & 0xFFFFFFFF)
    assert apic.read(offset, 4) == before
    assert errors(apic) == 0


@pytest.mark.parametrize(("offset", "bits"), WRITABLE.items())
def test_writable_registers_keep_exactly_their_bits(apic, offset, bits):
    ones = 0x0FFFFFFF if offset == 0xE0 else 0
    apic.write(offset, 4, 0xFFFFFFFF)
    assert apic.read(offset, 4) == bits | ones
    if offset == 0xF0:
        return
    apic.write(offset, 4, 0)
    assert apic.read(offset, 4) == ones


@given(st.sampled_from(sorted(WRITABLE)), st.integers(0, 0xFFFFFFFF))
@example(0x350, 0xE000)  # level-triggered, active low, an illegal vector
@settings(max_examples=300, deadline=None, derandomize=True)
def test_writable_registers_keep_any_value(offset, value):
    apic = ApicBus(1).local[0]
    apic.write(0xF0, 4, 0x1FF)
    apic.write(offset, 4, value)
    assert apic.read(offset, 4) == value & WRITABLE[offset] | (0x0FFFFFFF if offset == 0xE0 else 0)


def test_icr_keeps_its_bits_and_is_never_busy(apic):
    apic.write(0x300, 4, 0xFFFFFFFF)
    assert apic.read(0x300, 4) == 0x000CCFFF


@pytest.mark.parametrize("offset", RESERVED)
def test_reserved_offsets_read_zero_and_log_an_illegal_address(apic, offset):
    assert apic.read(offset, 4) == 0
    assert errors(apic) == 0x80
    apic.write(offset, 4, 0xFFFFFFFF)
    assert errors(apic) == 0x80


@pytest.mark.parametrize("offset", EXISTING)
def test_existing_offsets_log_nothing(apic, offset):
    apic.read(offset, 4)
    assert errors(apic) == 0


def test_the_id_is_in_the_top_byte():
    assert [local.read(0x20, 4) for local in ApicBus(3).local] == [0, 1 << 24, 2 << 24]


def test_vector_bitmaps_are_eight_registers_of_32_bits(apic):
    for vector in (0x1F, 0x20, 0xFF, 0x81):
        apic.accept(vector, level=True)
    irr = [apic.read(0x200 + 16 * n, 4) for n in range(8)]
    assert irr == [1 << 31, 1, 0, 0, 1 << 1, 0, 0, 1 << 31]
    assert [apic.read(0x180 + 16 * n, 4) for n in range(8)] == irr
    apic.acknowledge()
    assert [apic.read(0x100 + 16 * n, 4) for n in range(8)] == [0] * 7 + [1 << 31]
    assert apic.read(0x270, 4) == 0


@pytest.mark.parametrize(
    ("byte", "size", "expected"),
    [
        (0, 1, 0x15),
        (0, 2, 0x0015),
        (2, 1, 0x06),
        (2, 2, 0x0106),
        (3, 1, 0x01),
        (1, 2, 0x0600),
        (0, 8, 0x01060015),
        (4, 4, 0),
        (8, 8, 0),
        (15, 1, 0),
    ],
)
def test_narrow_loads_get_their_bytes(apic, byte, size, expected):
    assert apic.read(0x30 + byte, size) == expected


@pytest.mark.parametrize(("byte", "size"), [(0, 1), (0, 2), (1, 1), (2, 2), (4, 4), (8, 8), (1, 4)])
def test_narrow_and_misaligned_stores_are_ignored(apic, byte, size):
    apic.write(0x80 + byte, size, 0x55)
    assert apic.read(0x80, 4) == 0


def test_an_8_byte_store_reaches_the_register_with_its_low_half(apic):
    apic.write(0x80, 8, 0xAAAAAAAA_00000055)
    assert apic.read(0x80, 4) == 0x55


def test_any_value_written_to_eoi_ends_the_interrupt(apic):
    apic.accept(0x40)
    apic.acknowledge()
    apic.write(0xB0, 4, 0xDEAD)
    assert apic.isr == 0


def test_eoi_is_write_only(apic):
    assert apic.read(0xB0, 4) == 0


# ---- ESR


def test_esr_shows_errors_only_after_a_write(apic):
    apic.read(0x10, 4)
    assert apic.read(0x280, 4) == 0
    apic.write(0x280, 4, 0)
    assert apic.read(0x280, 4) == 0x80
    assert apic.read(0x280, 4) == 0x80
    apic.write(0x280, 4, 0)
    assert apic.read(0x280, 4) == 0


def test_the_value_written_to_esr_does_not_matter(apic):
    apic.write(0x280, 4, 0xFFFFFFFF)
    assert apic.read(0x280, 4) == 0


def test_errors_accumulate(apic):
    apic.read(0x10, 4)
    apic.accept(5)
    apic.write(0x300, 4, 3 << 18 | 0x4003)
    assert errors(apic) == 0x80 | 0x40 | 0x20


def test_the_error_interrupt_comes_once_until_esr_is_written(apic):
    apic.write(0x370, 4, 0xE0)
    apic.read(0x10, 4)
    assert apic.acknowledge() == 0xE0
    apic.eoi()
    apic.read(0x10, 4)
    assert apic.intr is None
    apic.write(0x280, 4, 0)
    apic.read(0x10, 4)
    assert apic.intr == 0xE0
    assert apic.tmr == 0


def test_the_error_interrupt_is_an_edge(apic):
    apic.accept(0xE0, level=True)
    apic.write(0x370, 4, 0xE0)
    apic.read(0x10, 4)
    assert apic.tmr == 0


@pytest.mark.parametrize("vector", [0, 15])
def test_an_error_entry_with_an_illegal_vector_is_an_error_itself(apic, vector):
    apic.write(0x370, 4, vector)
    apic.read(0x10, 4)
    assert errors(apic) == 0xC0
    assert apic.irr == 0


# ---- IA32_APIC_BASE

MODES = {"disabled": 0x000, "xapic": 0x800, "x2apic": 0xC00, "invalid": 0x400}
LEGAL = {
    ("disabled", "disabled"),
    ("disabled", "xapic"),
    ("xapic", "xapic"),
    ("xapic", "x2apic"),
    ("xapic", "disabled"),
    ("x2apic", "x2apic"),
    ("x2apic", "disabled"),
}


def in_mode(mode):
    local = ApicBus(1).local[0]
    if mode != "xapic":
        local.write_msr(BASE, 0xFEE00000 | MODES[mode])
    return local


@pytest.mark.parametrize("before", ["disabled", "xapic", "x2apic"])
@pytest.mark.parametrize("after", MODES)
def test_mode_transitions(before, after):
    apic = in_mode(before)
    old, value = apic.read_msr(BASE), 0xFEE00000 | MODES[after]
    if (before, after) in LEGAL:
        apic.write_msr(BASE, value)
        assert apic.read_msr(BASE) == value
        return
    with pytest.raises(GeneralProtectionError):
        apic.write_msr(BASE, value)
    assert apic.read_msr(BASE) == old


@pytest.mark.parametrize("bit", [*range(8), 9, *range(46, 64)])
def test_reserved_bits_of_apic_base(bit):
    apic = ApicBus(1, physical_bits=46).local[0]
    with pytest.raises(GeneralProtectionError):
        apic.write_msr(BASE, 0xFEE00900 | 1 << bit)
    assert apic.read_msr(BASE) == 0xFEE00900


def test_the_page_moves_with_the_base(apic):
    assert apic.claims(0xFEE00FFF)
    assert not apic.claims(0xFEE01000)
    apic.write_msr(BASE, 0x200_0000_0900)
    assert apic.claims(0x200_0000_0030)
    assert not apic.claims(0xFEE00030)


@pytest.mark.parametrize("mode", ["disabled", "x2apic"])
def test_only_an_xapic_has_a_page(mode):
    assert not in_mode(mode).claims(0xFEE00030)


def test_disabling_loses_the_state_but_not_the_id():
    apic = ApicBus(2).local[1]
    apic.write(0xF0, 4, 0x1E0)
    apic.write(0x80, 4, 0x20)
    apic.write_msr(BASE, 0xFEE00000)
    apic.write_msr(BASE, 0xFEE00800)
    assert (apic.read(0xF0, 4), apic.read(0x80, 4), apic.read(0x20, 4)) == (0xFF, 0, 1 << 24)


def test_entering_x2apic_mode_keeps_the_state(apic):
    apic.write(0x80, 4, 0x20)
    apic.accept(0x99)
    apic.write_msr(BASE, X2)
    assert apic.read_msr(0x808) == 0x20
    assert apic.read_msr(0x80F) == 0x1FF
    assert apic.acknowledge() == 0x99


# ---- x2APIC


@pytest.mark.parametrize("msr", range(0x800, 0x900))
@pytest.mark.parametrize("mode", ["disabled", "xapic"])
def test_the_msrs_exist_only_in_x2apic_mode(mode, msr):
    apic = in_mode(mode)
    with pytest.raises(GeneralProtectionError):
        apic.read_msr(msr)
    with pytest.raises(GeneralProtectionError):
        apic.write_msr(msr, 0)


@pytest.mark.parametrize("msr", range(0x800, 0x900))
def test_which_msrs_can_be_read(x2, msr):
    if msr in X2_READ_ONLY or (msr in X2_LEGAL and msr not in X2_WRITE_ONLY):
        assert x2.read_msr(msr) >= 0
        return
    with pytest.raises(GeneralProtectionError):
        x2.read_msr(msr)


@pytest.mark.parametrize("msr", range(0x800, 0x900))
def test_which_msrs_can_be_written(x2, msr):
    if msr in X2_LEGAL:
        x2.write_msr(msr, 0)
        return
    with pytest.raises(GeneralProtectionError):
        x2.write_msr(msr, 0)


@pytest.mark.parametrize("msr", X2_LEGAL)
def test_reserved_bits_of_the_msrs(x2, msr):
    for bit in range(64):
        if X2_LEGAL[msr] >> bit & 1:
            x2.write_msr(msr, 1 << bit)
            continue
        before = x2.save()
        with pytest.raises(GeneralProtectionError):
            x2.write_msr(msr, 1 << bit)
        assert x2.save() == before


@pytest.mark.parametrize("msr", [m for m in X2_LEGAL if m not in {0x80B, 0x828, 0x830, 0x83F}])
def test_msrs_read_back_what_is_not_read_only(x2, msr):
    x2.write_msr(msr, X2_LEGAL[msr])
    lvt_status = 0x5000 if msr in {0x835, 0x836} else 0x1000 if 0x82F <= msr <= 0x837 else 0
    assert x2.read_msr(msr) == X2_LEGAL[msr] & ~lvt_status


def test_the_icr_is_one_register_of_64_bits(x2):
    x2.write_msr(0x830, 0xDEADBEEF_000C4431)
    assert x2.read_msr(0x830) == 0xDEADBEEF_000C4431


def test_the_whole_id_is_readable():
    apic = ApicBus(64).local[63]
    apic.write_msr(BASE, 0xFEE00C00)
    assert apic.read_msr(0x802) == 63


def test_the_bitmaps_as_msrs(x2):
    x2.accept(0x51, level=True)
    assert x2.read_msr(0x822) == x2.read_msr(0x81A) == 1 << 0x11
    x2.acknowledge()
    assert (x2.read_msr(0x822), x2.read_msr(0x812), x2.read_msr(0x80A)) == (0, 1 << 0x11, 0x50)
    x2.write_msr(0x80B, 0)
    assert x2.isr == 0


def test_a_refused_self_ipi_sends_nothing(x2):
    with pytest.raises(GeneralProtectionError):
        x2.write_msr(0x83F, 0x155)
    assert (x2.irr, x2.pending) == (0, Pending(0))
