"""The vectors of the kernel."""

from pykern.kernel.x86 import vectors


def test_isa_interrupts_follow_the_exceptions():
    """MEL-39: 0x20 PIT, 0x21 keyboard, up to 0x2F; 0x80 system calls."""
    assert vectors.FIRST_ISA == 0x20
    assert vectors.SYSTEM_CALL == 0x80


def test_vectors_differ_and_the_spurious_one_suits_every_apic():
    own = {vectors.TIMER, vectors.RESCHEDULE, vectors.APIC_ERROR, vectors.SPURIOUS}
    taken = set(range(32)) | set(range(vectors.FIRST_ISA, vectors.FIRST_ISA + 16))
    assert len(own) == 4
    assert not own & (taken | {vectors.SYSTEM_CALL})
    assert vectors.SPURIOUS & 0xF == 0xF, "SDM Vol. 3A: older APICs hardwire the low four bits"
