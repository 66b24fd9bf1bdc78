"""Control registers and EFER, against what Bochs printed; paging modes switched on and off."""

from __future__ import annotations

import pytest

from pykern_c.exits import ExitReason
from tests.guest import long_mode_machine
from tests.privileged import cases, log, recorded

REGISTERS = (
    r"(cr\d|lmsw|mov cr|pcid|msr efer|dr\d|invpcid|xsetbv|xgetbv|tsd|umip|user umip"
    r"|user mov (cr|dr))"
)


@pytest.mark.parametrize("name", cases("long", REGISTERS))
def test_register_checks(name):
    assert log("long")[name] == recorded("long")[name]


@pytest.mark.parametrize(("page", "error"), [("0x200000", 0x11), ("0x300000", None)])
def test_smep_forbids_fetching_user_pages(page, error):
    source = f"""
        mov byte ptr [{page}], 0xF4
        or byte ptr [0x20000 + 0x200 * 8], 4        # the page of 200000h becomes a user page
        mov rax, cr4
        bts rax, 20
        mov cr4, rax
        mov eax, {page}
        jmp rax
    """
    machine = long_mode_machine(source)
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(1000)
    assert [f.error for f in end.faults[:1]] == ([error] if error else [])


@pytest.mark.parametrize(
    ("before", "access", "faults"),
    [
        ("clac", "mov al, [rbx]", True),
        ("stac", "mov al, [rbx]", False),
        ("clac", "mov [rbx], al", True),
        ("stac", "mov [rbx], al", False),
        # an implicit access, to a GDT in a user page, is refused whatever AC is
        ("stac", "lgdt [gdtr]\nmov ds, ecx", True),
    ],
)
def test_smap_guards_user_pages(before, access, faults):
    source = f"""
        mov rax, cr4
        bts rax, 21
        mov cr4, rax
        mov ebx, 0x200000
        mov ecx, 8
        {before}
        {access}
        hlt
        gdtr: .word 0xFFF
        .quad 0x200000
    """
    machine = long_mode_machine(source)
    machine.write(0x20000 + 0x200 * 8, (0x200000 | 7).to_bytes(8, "little"))
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(1000)
    assert [(f.vector, f.address) for f in end.faults[:1]] == (
        [(14, 0x200008 if "lgdt" in access else 0x200000)] if faults else []
    )


def test_leaving_ia_32e_mode_needs_compatibility_mode():
    machine = long_mode_machine("mov rax, cr0\nbtr rax, 31\nmov cr0, rax")
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(1000)
    assert end.reason is ExitReason.SHUTDOWN
    assert (end.faults[0].vector, end.faults[0].error) == (13, 0)


def test_cr0_wp_takes_effect_at_once():
    source = """
        and byte ptr [0x20000 + 0x200 * 8], 0xFD    # read-only
        invlpg [0x200000]
        mov rax, cr0
        btr rax, 16
        mov cr0, rax
        mov [0x200000], eax                         # enters the TLB as writable
        bts rax, 16
        mov cr0, rax
        mov [0x200000], eax
    """
    machine = long_mode_machine(source)
    machine.vcpus[0].write_register("idtr.limit", 0)
    end = machine.run(1000)
    assert (end.faults[0].vector, end.faults[0].error) == (14, 3)
