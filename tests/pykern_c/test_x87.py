"""Around x87 instructions: #NM, #MF, FERR#, pointers, images, and whose unit the host's is."""

from __future__ import annotations

import struct
from random import Random

import numpy as np
import pytest

from pykern_c.context import Context
from pykern_c.exits import ExitReason
from pykern_c.isa import rows
from pykern_c.machine import Machine
from tests.guest import ENTRY, assemble, long_mode_machine
from tests.oracle import host
from tests.oracle.compare import X87_POINTERS, differences, report
from tests.oracle.generate import cases
from tests.oracle.pykern_cpu import PykernCpu
from tests.oracle.state import Outcome
from tests.oracle.table import RowForm, forms

DATA = 0x40_0000
EM, TS, MP, NE = 4, 8, 2, 0x20
NM, MF = 7, 16
ES, BUSY, ZE = 0x80, 0x8000, 4
DEVICE, PORT = 0xA0_0000, 0x2F8
ONE, PI = 0x3FFF_8000_0000_0000_0000, 0x4000_C90F_DAA2_2168_C235
UNMASKABLE = [
    form
    for form in forms()
    if form.row.family in {"x87_arith", "x87_move"} and {"ST", "Md", "Mt"} & {*form.operands}
]
# Divides by zero with that exception unmasked: the error is pending, nobody has looked.
DIVIDE = "fninit\nmov word ptr [0x400000], 0x37b\nfldcw [0x400000]\nfld1\nfldz\nfdivp st(1), st\n"


def run(source: str, **registers: int) -> Machine:
    """Run 64-bit code that ends with HLT or a shutdown: there is no IDT."""
    machine = long_mode_machine(source + "\nhlt")
    for name, value in registers.items():
        machine.vcpus[0].write_register(name, value)
    machine.run()
    return machine


def read(machine: Machine, name: str) -> int:
    return machine.vcpus[0].read_register(name)


def vector(machine: Machine) -> int | None:
    """Return the first fault of a shutdown, None if the code came to its HLT."""
    end = machine.run()
    return end.faults[0].vector if end.reason is ExitReason.SHUTDOWN else None


def outcome(source: str, cr0: int) -> int | None:
    machine = long_mode_machine(source + "\nhlt")
    machine.vcpus[0].write_register("cr0", 0x8001_0011 | cr0)
    return vector(machine)


@pytest.mark.parametrize(
    ("source", "cr0", "expected"),
    [
        ("fld1", 0, None),
        ("fld1", EM, NM),
        ("fld1", TS, NM),
        ("fnstsw ax", TS, NM),
        ("fnstcw [0x400000]", EM, NM),
        ("fninit", EM | MP, NM),
        ("fwait", EM, None),
        ("fwait", TS, None),
        ("fwait", MP, None),
        ("fwait", TS | MP, NM),
        ("fwait", EM | TS | MP, NM),
    ],
)
def test_device_not_available(source: str, cr0: int, expected: int | None) -> None:
    """SDM Vol. 3A, "x87 FPU/MMX Technology/SSE: CR0.EM, MP and TS"."""
    assert outcome(source, cr0) == expected


def test_a_set_ts_is_seen_although_the_state_is_on_the_host() -> None:
    machine = run("fninit\nfldpi\nmov rax, cr0\nor al, 8\nmov cr0, rax\nclts\nfld1\nfaddp\n")
    assert read(machine, "st0") == 0x4001_8487_ED51_10B4_611A  # π + 1
    assert (
        vector(long_mode_machine("fninit\nmov rax, cr0\nor al, 8\nmov cr0, rax\nfld1\nhlt")) == NM
    )


@pytest.mark.parametrize(
    "waiting", ["fwait", "fld1", "fnop", "fldcw [0x400000]", "frstor [0x400000]"]
)
def test_a_pending_error_meets_the_next_waiting_instruction(waiting: str) -> None:
    assert outcome(DIVIDE + waiting, NE) == MF


@pytest.mark.parametrize("source", ["fnstsw ax", "fnstcw [0x400000]", "fnclex", "fninit", "nop"])
def test_no_other_instruction_reports_it(source: str) -> None:
    assert outcome(DIVIDE + source, NE) is None


@pytest.mark.parametrize("cure", ["fnclex", "fninit", "fnsave [0x400000]", "fnstenv [0x400000]"])
def test_what_clears_a_pending_error(cure: str) -> None:
    assert outcome(f"{DIVIDE}{cure}\nfwait\nfnop", NE) is None


def test_the_error_is_recorded_with_its_pointers() -> None:
    code = DIVIDE.replace("fdivp st(1), st", "fidiv dword ptr [rbx+8]").replace("fldz\n", "")
    machine = run(code + "mov rcx, rax", rbx=DATA)
    length = len(assemble(code)) - len(assemble("fidiv dword ptr [rbx+8]"))
    assert read(machine, "fsw") == ES | BUSY | ZE | 7 << 11
    assert read(machine, "st0") == ONE
    assert read(machine, "fip") == ENTRY + length
    assert read(machine, "fdp") == DATA + 8
    assert read(machine, "fop") == (0xDA & 7) << 8 | 0x73


@pytest.mark.parametrize("form", UNMASKABLE, ids=lambda f: f.row.key)
def test_pointers_of_an_unmasked_exception_agree_with_the_host(form: RowForm) -> None:
    """Where an instruction makes an error pending, FXSAVE shows FIP, FDP and FOP."""
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    drawn = cases(form, 400, seed=1)
    expected = host.HostCpu().run(drawn.code, drawn.start)
    actual = PykernCpu().run(drawn.code, drawn.start)
    erred = (expected["vector"] == Outcome.DONE) & (expected["fsw"] & ES != 0)
    erred &= drawn.start["fsw"] & ES == 0
    expected["vector"][~erred] = Outcome.REFUSED
    found = differences(expected, actual, also=X87_POINTERS)
    assert not found, report(drawn.code, drawn.start, found)


def test_unmasking_a_flag_makes_it_pending() -> None:
    source = (
        "fninit\nfld1\nfldz\nfdivp st(1), st\nmov word ptr [0x400000], 0x37b\nfldcw [0x400000]\n"
    )
    machine = run(source)
    assert read(machine, "fsw") & (ES | BUSY | ZE) == ES | BUSY | ZE
    assert outcome(source + "fnop", NE) == MF


def test_unmasked_underflow_leaves_a_scaled_result() -> None:
    """SDM Vol. 1, "Numeric Underflow Exception (#U)": the result times 2^24576."""
    source = "fninit\nmov word ptr [rbx+16], 0x36f\nfldcw [rbx+16]\n"
    machine = long_mode_machine(source + "fld tbyte ptr [rbx]\nfmul st, st\nhlt")
    machine.write(DATA, struct.pack("<QH", 1 << 63, 1))  # 2^-16382
    machine.vcpus[0].write_register("rbx", DATA)
    machine.run()
    exponent = 2 * (1 - 0x3FFF) + 24576 + 0x3FFF
    assert read(machine, "st0") == exponent << 64 | 1 << 63
    assert read(machine, "fsw") & ES


def test_an_unmasked_overflow_stores_nothing() -> None:
    source = "fninit\nmov word ptr [rbx+16], 0x377\nfldcw [rbx+16]\n"
    machine = long_mode_machine(source + "fld tbyte ptr [rbx]\nfstp dword ptr [rbx+32]\nhlt")
    machine.write(DATA, struct.pack("<QH", 1 << 63, 0x7000))
    machine.write(DATA + 32, b"keep")
    machine.vcpus[0].write_register("rbx", DATA)
    machine.run()
    assert machine.read(DATA + 32, 4) == b"keep"
    assert read(machine, "ftw") == 0x80


# -- FERR# ----------------------------------------------------------------------------------------


def test_without_ne_an_error_goes_out_on_ferr_once() -> None:
    machine = long_mode_machine(DIVIDE + "fld1\nfld1\nfnclex\nfld1\nhlt")
    machine.vcpus[0].write_register("cr0", 0x8001_0013)
    asserted: list[int] = []
    machine.connect_ferr(lambda: asserted.append(machine.now))
    assert machine.run().reason is ExitReason.HLT
    assert len(asserted) == 1
    assert read(machine, "ftw") == 0xF8
    assert not read(machine, "fsw") & ES


def test_after_fnclex_the_next_error_is_reported_again() -> None:
    again = DIVIDE + "fnop\n"
    machine = long_mode_machine(again + "fnclex\nfdivp st(1), st\nfwait\nhlt")
    machine.vcpus[0].write_register("cr0", 0x8001_0013)
    asserted: list[int] = []
    machine.connect_ferr(lambda: asserted.append(machine.now))
    assert machine.run().reason is ExitReason.HLT
    assert len(asserted) == 2


def test_nobody_needs_to_listen_to_ferr() -> None:
    assert outcome(DIVIDE + "fwait\nfldpi", 0) is None


# -- images ---------------------------------------------------------------------------------------

LOADED = "fninit\nfld1\nfldz\nfldpi\nffree st(1)\n"


def image(source: str, size: int, fmt: str) -> tuple[int, ...]:
    machine = run(LOADED + source, rbx=DATA)
    return struct.unpack(fmt, machine.read(DATA, size))


def test_environment_of_32_bits() -> None:
    words = image("fnstenv [rbx]", 28, "<7I")
    at = ENTRY + len(assemble(LOADED)) - 2
    tags = words[2] & 0xFFFF
    assert words[:2] == (0xFFFF_037F, 0xFFFF_0000 | 5 << 11)
    assert [tags >> 2 * i & 3 for i in range(8)] == [3, 3, 3, 3, 3, 0, 3, 0]
    assert words[3:] == (at, 0, 0, 0xFFFF_0000)


def test_environment_of_16_bits() -> None:
    words = image(".byte 0x66\nfnstenv [rbx]", 14, "<7H")
    assert words[:2] == (0x37F, 5 << 11)
    assert words[3] == (ENTRY + len(assemble(LOADED)) - 2) & 0xFFFF


def real_mode(source: str, ip: int) -> Machine:
    machine = Machine(1 << 20)
    machine.write(ip, assemble(source, 16, ip))
    write = machine.vcpus[0].write_register
    for name in ("cs", "ds", "ss", "es"):
        write(name, 0)
        write(f"{name}.base", 0)
    write("rip", ip)
    machine.run(until_ns=1000)
    return machine


def test_environment_of_real_mode() -> None:
    """The pointers are split, and the opcode shares a field with one."""
    machine = real_mode("fninit\nfld1\nfnstenv [0x500]\nhlt", 0x7C00)
    assert struct.unpack("<7H", machine.read(0x500, 14)) == (0x37F, 0x3800, 0x3FFF, 0x7C02, 0, 0, 0)
    machine = real_mode("fninit\nfld1\n.byte 0x66\nfnstenv [0x500]\nhlt", 0x7C00)
    assert struct.unpack("<7I", machine.read(0x500, 28)) == (
        *(0xFFFF_037F, 0xFFFF_3800, 0xFFFF_3FFF, 0xFFFF_7C02, 0, 0xFFFF_0000, 0),
    )


@pytest.mark.parametrize("prefix", ["", ".byte 0x66\n"])
def test_save_and_restore(prefix: str) -> None:
    other = "fldln2\nfldlg2\nfincstp\n"
    saved = run(f"{LOADED}{prefix}fnsave [rbx]", rbx=DATA)
    assert (read(saved, "fcw"), read(saved, "fsw"), read(saved, "ftw")) == (0x37F, 0, 0)
    plain = run(LOADED)
    restored = run(f"{LOADED}{prefix}fnsave [rbx]\n{other}{prefix}frstor [rbx]", rbx=DATA)
    for name in ("fcw", "fsw", "ftw", *(f"st{i}" for i in range(8))):
        assert read(restored, name) == read(plain, name), name


def test_real_mode_image_round_trip() -> None:
    code = LOADED + "fnsave [0x500]\nfldlg2\nfrstor [0x500]\nhlt"
    machine = real_mode(code, 0x7C00)
    assert (read(machine, "st0"), read(machine, "ftw"), read(machine, "fsw")) == (PI, 0xA0, 0x2800)


def test_loading_an_environment_derives_es() -> None:
    machine = long_mode_machine("fldenv [rbx]\nhlt")
    words = (0x37B, ZE, 0xFFFF, 0, 0, 0, 0)
    machine.write(DATA, struct.pack("<7I", *words))
    machine.vcpus[0].write_register("rbx", DATA)
    machine.run()
    assert read(machine, "fsw") == ZE | ES | BUSY


# -- whose unit it is -----------------------------------------------------------------------------


class Calculator:
    """A device that computes in 80 bits on every access."""

    def __init__(self) -> None:
        self.sums: list[object] = []

    def read(self, _offset: int, size: int) -> int:
        self.sums.append(sum((np.longdouble(i) / 3 for i in range(20)), np.longdouble(0)))
        return 0x4142_4344 & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, _value: int) -> None:
        self.read(offset, size)


def test_devices_may_use_the_hosts_unit() -> None:
    """The guest has a full stack, rounds down to single precision, and unmasks what it can."""
    source = f"""
    fninit
    mov word ptr [0x400000], 0x460
    fldcw [0x400000]
    fldpi
    fld1
    fldl2e
    fldl2t
    fldlg2
    fldln2
    fldz
    fldpi
    mov edx, {PORT}
    mov eax, [{DEVICE}]
    fxch st(1)
    in eax, dx
    fxch st(2)
    fild dword ptr [{DEVICE}]
    out dx, al
    hlt"""
    machine = long_mode_machine(source.replace("fild", "ffree st(7)\nfild"), megabytes=16)
    device = Calculator()
    machine.map_mmio(DEVICE, 0x1000, device)
    machine.map_ports(PORT, 1, device)
    machine.run()
    expected = sum((np.longdouble(i) / 3 for i in range(20)), np.longdouble(0))
    assert len(device.sums) >= 4
    assert all(value == expected for value in device.sums)
    names = ("st0", "st1", "st2", "st3")
    stack = [read(machine, name) for name in names]
    assert stack[0] >> 64 == 0x401D  # 0x41424344
    assert read(machine, "ftw") == 0xFF
    assert read(machine, "fcw") == 0x460


def test_fxsave_sees_the_state_and_fxrstor_replaces_it() -> None:
    """FXSAVE Area: FCW, FSW, abridged tags; ST from byte 32."""
    source = f"{LOADED}fxsave [rbx]\nfninit\nfldlg2\nfxrstor [rbx]\nfadd st, st(2)\nhlt"
    machine = long_mode_machine(source)
    machine.vcpus[0].write_register("rbx", DATA)
    machine.run()
    assert struct.unpack("<HHB", machine.read(DATA, 5)) == (0x37F, 5 << 11, 0xA0)
    assert int.from_bytes(machine.read(DATA + 32, 10), "little") == PI
    assert read(machine, "st0") == 0x4001_8487_ED51_10B4_611A


def test_xsave_and_xrstor_move_the_state() -> None:
    source = f"""
    mov rax, cr4
    or eax, 1 << 18
    mov cr4, rax
    mov eax, 1
    xor edx, edx
    {LOADED}
    xsave [rbx]
    fninit
    fldlg2
    xrstor [rbx]
    fadd st, st(2)
    hlt"""
    machine = long_mode_machine(source)
    machine.vcpus[0].write_register("rbx", DATA)
    machine.run()
    assert machine.read(DATA + 512, 8) == b"\1" + bytes(7)
    assert read(machine, "st0") == 0x4001_8487_ED51_10B4_611A


def test_mmx_registers_are_those_of_the_stack() -> None:
    """MM0-7 are R0-7; an MMX instruction makes TOP 0 and all registers valid."""
    machine = run("fninit\nfldpi\nmovq rax, mm7\nmovd mm1, eax\nfxam\nfnstsw ax\n")
    assert read(machine, "st7") == PI
    assert read(machine, "st1") == 0xFFFF << 64 | PI & 0xFFFF_FFFF
    assert (read(machine, "ftw"), read(machine, "fsw") >> 11 & 7) == (0xFF, 0)
    machine = run("fninit\nmovd mm0, eax\nemms\nfldpi\n")
    assert (read(machine, "ftw"), read(machine, "st0")) == (0x80, PI)


def test_mmx_reports_a_pending_error() -> None:
    assert outcome(DIVIDE + "movd mm0, eax", NE) == MF
    assert outcome(DIVIDE + "emms", NE) == MF
    assert outcome(DIVIDE + "emms", 0) is None


def test_every_processor_keeps_its_own_state() -> None:
    """Slices end at any instruction: the state leaves the host and comes back."""
    source = """
    fninit
    inc edi
    mov [rsp-8], edi
    fild dword ptr [rsp-8]
    fldz
    mov ecx, 5000
1:  fadd st, st(1)
    fxch st(1)
    fxch st(1)
    dec ecx
    jnz 1b
    fistp qword ptr [rsp-16]
    mov rax, [rsp-16]
    hlt"""
    machine = long_mode_machine(source, cpus=4, seed=3)
    machine.run()
    assert [vcpu.read_register("rax") for vcpu in machine.vcpus] == [5000, 10000, 15000, 20000]


def test_a_context_holds_the_x87_state() -> None:
    machine = run(LOADED)
    saved = Context()
    saved.save(machine.vcpus[0])
    machine.vcpus[0].write_register("fsw", 0)
    machine.vcpus[0].write_register("st0", 0)
    saved.restore(machine.vcpus[0])
    assert (read(machine, "st0"), read(machine, "fsw")) == (PI, 5 << 11)


FORMS = [form for form in rows.load() if form.family.startswith("x87") and form.modrm]
LOADS = {"FLDCW", "FLDENV", "FRSTOR", "FNSAVE", "FNINIT"}  # rarely: they change everything


def random_instruction(source: Random) -> bytes:
    """Draw an x87 instruction; its memory operand is near RBX."""
    form = source.choice(FORMS)
    while form.mnemonic in LOADS and source.random() < 0.8:
        form = source.choice(FORMS)
    modrm = int(form.modrm) << 3
    if not form.register_only:
        return bytes([form.opcode, modrm | 0x43, source.randrange(0, 128)])
    number = source.randrange(8) if form.modrm_rm is None else form.modrm_rm
    return bytes([form.opcode, 0xC0 | modrm | number])


@pytest.mark.parametrize("seed", range(40))
def test_steps_and_runs_agree(seed: int) -> None:
    """Stepping takes the state off the host behind every instruction, running does not."""
    source = Random(seed)
    body = b"".join(random_instruction(source) for _ in range(300))
    code = assemble("fninit\nfldcw [rbx+0x100]") + body + b"\xf4"
    control = source.choice((0x37F, 0x27F, 0xF7F, 0x340))
    memory = source.randbytes(256) + struct.pack("<H", control)
    states = []
    for stepped in (False, True):
        machine = long_mode_machine("hlt")
        machine.write(ENTRY, code)
        machine.write(DATA, memory)
        write = machine.vcpus[0].write_register
        for name, value in (
            ("rbx", DATA),
            ("fcw", control),
            ("cr0", 0x8001_0033 ^ NE * (seed & 1)),
        ):
            write(name, value)
        end = machine.vcpus[0].step()
        while end.reason is ExitReason.BUDGET:
            end = machine.vcpus[0].step(1 if stepped else 1000)
        states.append((end.reason, machine.state_hash()))
    assert states[0] == states[1]
