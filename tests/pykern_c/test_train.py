"""Host code does what the handlers do: whole programs, run both ways and step by step."""

from __future__ import annotations

import os
import random

import pytest

from pykern_c.exits import ExitReason
from tests.guest import ENTRY, PRESENT, WRITABLE, debug_build, long_mode_machine, page_entry

ALWAYS, NEVER = 1, 0
DATA = 0x40_0000
SCRATCH_BYTES = 8192
REGISTERS = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r15")
NARROW = {"rax": "al", "rcx": "cl", "rdx": "dl", "rsi": "sil", "rdi": "dil"}
CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()
FORMS = (
    "mov {a}, {b}", "mov {a}, {m}", "mov {m}, {a}", "mov {a}, {i}", "mov {p} {m}, {i}",
    "movabs {a64}, {q}",
    "movzx {a64}, {b8}", "movzx {a32}, byte ptr {m}", "movzx {a32}, word ptr {m}",
    "movsx {a64}, {b8}", "movsx {a32}, word ptr {m}", "movsxd {a64}, {b32}",
    "movsxd {a64}, dword ptr {m}", "movzx eax, ah", "mov ch, dl",
    *(f"{op} {{a}}, {{b}}" for op in ("add", "or", "and", "sub", "xor", "cmp", "test")),
    *(f"{op} {{a}}, {{m}}" for op in ("add", "or", "and", "sub", "xor", "cmp")),
    *(f"{op} {{m}}, {{a}}" for op in ("add", "or", "and", "sub", "xor", "cmp", "test")),
    *(f"{op} {{a}}, {{i}}" for op in ("add", "or", "and", "sub", "xor", "cmp", "test")),
    *(f"{op} {{p}} {{m}}, {{i}}" for op in ("add", "or", "and", "sub", "xor", "cmp", "test")),
    *(f"{op} {{a8}}, {{b8}}" for op in ("add", "or", "and", "sub", "xor", "cmp", "test", "mov")),
    *(f"{op} {{a8}}, {{i8}}" for op in ("add", "sub", "cmp", "test", "mov")),
    *(f"{op} byte ptr {{m}}, {{a8}}" for op in ("add", "sub", "xor", "mov", "cmp")),
    *(f"{op} {{a}}" for op in ("inc", "dec", "neg", "not")),
    *(f"{op} {{p}} {{m}}" for op in ("inc", "dec", "neg", "not")),
    *(f"{op} {{a}}, {{s}}" for op in ("shl", "shr", "sar", "rol", "ror")),
    *(f"{op} {{p}} {{m}}, {{s}}" for op in ("shl", "shr", "sar", "rol", "ror")),
    *(f"{op} {{a}}, 1" for op in ("shl", "shr", "sar", "rol", "ror")),
    "imul {a}, {b}", "imul {a}, {m}", "imul {a}, {b}, {i}", "imul {a}, {m}, {i}",
    *(f"cmov{cc} {{a}}, {{b}}" for cc in CONDITIONS), "cmovb {a}, {m}",
    *(f"set{cc} {{a8}}" for cc in CONDITIONS), "setle byte ptr {m}",
    "lea {a}, [{b64} + {c64}*4 + {i}]", "lea {a}, [{c64}*8 + {i}]", "push {a64}\npop {b64}",
    "mov {a}, [rip + 9b]", "add {a}, [rip + 9b + 3]", "push rsp\npop {a64}", "mov [rsp - 64], {a}",
    "mov {a}, [rsp - 64]", "lock add {m}, {a}", "add {a}, fs:{m}", "push [rbx]\npop rcx",
    "nop", "adc {a}, {b}", "bt {a}, 5", "xchg {a}, {b}", "mul {b}", "pushf\npop {a64}",
    *(f"cmp {{a}}, {{b}}\nj{cc} 1f\nnot {{a}}\n1:" for cc in CONDITIONS),
    *(f"test {{a8}}, {{b8}}\nj{cc} 1f\nnot {{a}}\n1:" for cc in CONDITIONS),
    *(f"j{cc} 1f\nnot {{a}}\n1:" for cc in CONDITIONS),
    *(f"{op} {{a}}, {{b}}\nj{cc} 1f\ninc {{a}}\n1:" for op in ("add", "and", "sub")
      for cc in ("e", "s", "ns", "a", "g")),
    *(f"{op} {{a}}\nj{cc} 1f\ninc {{a}}\n1:" for op in ("inc", "dec", "neg")
      for cc in ("ne", "s", "b", "l")),
    "call 2f\njmp 3f\n2: add {a}, {b}\nret\n3:",
    "call 2f\njmp 3f\n2: add {a}, {b}\nret 8\n3:\npush rax",
    "lea {a64}, [rip + 2f]\ncall {a64}\njmp 3f\n2: ret\n3:", "lea {a64}, [rip + 2f]\njmp {a64}\n2:",
    "lea {a64}, [rip + 2f]\nmov [rbx], {a64}\ncall [rbx]\njmp 3f\n2: sub {b}, {c}\nret\n3:",
)  # fmt: skip


def narrow(register: str, width: int) -> str:
    """Return the name of a part of a 64-bit register."""
    if width == 64:
        return register
    if register[1].isdigit():
        return register + ("d" if width == 32 else "b")
    return "e" + register[1:] if width == 32 else NARROW[register]


def memory(choose: random.Random) -> str:
    """Return an operand: a few pages, some across a page's end, by two base registers or none."""
    offset = choose.choice((8 * choose.randrange(500), choose.randrange(4080, 4200)))
    return choose.choice(
        (
            f"[rbx + {offset}]",
            f"[rbx + {offset}]",
            f"[rbp + {offset % 2000}]",
            f"[rbx + r14*8 + {offset}]",
            f"[{DATA + offset:#x}]",
        )
    )


def program(choose: random.Random, length: int, rounds: int) -> str:
    """Return a loop round random instructions."""
    lines = [f"mov ebx, {DATA}", f"mov ebp, {DATA + 4096}", f"mov r14d, 3\nmov r13d, {rounds}"]
    lines.append("9:")
    for _ in range(length):
        a, b, c = choose.choices(REGISTERS, k=3)
        w = choose.choice((32, 64))
        lines.append(choose.choice(FORMS).format(
            a=narrow(a, w), b=narrow(b, w), c=narrow(c, w), a64=a, b64=b, c64=c,
            a32=narrow(a, 32), b32=narrow(b, 32), a8=narrow(a, 8), b8=narrow(b, 8),
            p="dword ptr" if w == 32 else "qword ptr", m=memory(choose),
            i=choose.choice((1, -1, choose.randrange(-128, 128), choose.getrandbits(31))),
            i8=choose.randrange(-128, 128), q=choose.randrange(1 << 64),
            s=choose.randrange(64)))  # fmt: skip
    return "\n".join([*lines, "dec r13d\njnz 9b\nhlt"])


def prepared(source: str, seed: int, translate_after: int):
    machine = long_mode_machine(source, translate_after=translate_after)
    for i, name in enumerate(REGISTERS):
        machine.vcpus[0].write_register(name, 0x9E37_79B9_7F4A_7C15 * (i + seed) % (1 << 64))
    return machine


def end_of(machine) -> tuple[object, ...]:
    return (
        machine.vcpus[0].registers(),
        machine.read(DATA, SCRATCH_BYTES),
        machine.retired,
        machine.state_hash(),
    )


@pytest.mark.parametrize("seed", range(40))
def test_host_code_and_handlers_agree(seed: int) -> None:
    source = program(random.Random(seed), 150, 3)
    ends = []
    for translate_after in (NEVER, ALWAYS, 2):
        machine = prepared(source, seed, translate_after)
        assert machine.run().reason is ExitReason.HLT
        ends.append(end_of(machine))
    assert ends[1:] == ends[:1] * 2


@pytest.mark.parametrize("seed", range(100, 106))
def test_single_steps_and_short_budgets_agree(seed: int) -> None:
    source = program(random.Random(seed), 100, 2)
    whole, pieces, steps = (prepared(source, seed, ALWAYS) for _ in range(3))
    assert whole.run().reason is ExitReason.HLT
    lengths = random.Random(seed)
    while pieces.vcpus[0].activity == "active":
        pieces.run(pieces.now + lengths.randrange(1, 60))
    while steps.vcpus[0].activity == "active":
        steps.vcpus[0].step(1)
    assert end_of(pieces)[:3] == end_of(whole)[:3]
    assert steps.vcpus[0].registers() == whole.vcpus[0].registers()
    assert steps.read(DATA, SCRATCH_BYTES) == whole.read(DATA, SCRATCH_BYTES)


@pytest.mark.skipif(debug_build(), reason="the debug build executes bodies, one by one")
def test_hot_blocks_become_host_code_and_cold_ones_do_not() -> None:
    source = "mov ecx, 20\n1: add rax, rcx\ndec ecx\njnz 1b\nhlt"
    sizes = []
    for translate_after in (NEVER, 30, 10, 1):
        machine = long_mode_machine(source, translate_after=translate_after)
        machine.run()
        assert machine.vcpus[0].read_register("rax") == sum(range(21))
        sizes.append(len(machine.host_code()[0]))
    assert sizes[0] == sizes[1] == 0 < sizes[2] < sizes[3]


def hot_result(source: str, **options: int) -> int:
    machine = long_mode_machine(source, translate_after=ALWAYS, **options)
    assert machine.run().reason is ExitReason.HLT
    return machine.vcpus[0].read_register("rbx")


def test_a_train_that_rewrites_itself_is_left_at_once() -> None:
    assert hot_result("""
        mov ecx, 5
    1:  mov byte ptr [rip + 2f + 1], cl
    2:  mov al, 0x55
        movzx eax, al
        add ebx, eax
        dec ecx
        jnz 1b
        hlt""") == 15  # fmt: skip


def test_a_train_that_rewrites_its_branch_target_goes_to_the_new_bytes() -> None:
    assert hot_result("""
        mov ecx, 8
        jmp 1f
        .balign 64
    3:  add ebx, 1
        dec ecx
        jz 4f
    1:  lea edx, [rcx + 16]
        test ecx, 3
        jnz 3b
        mov [rip + 3b + 2], dl
        jmp 3b
    4:  hlt""") == (8 + 16) * 4 + (4 + 16) * 4  # fmt: skip


def test_code_behind_another_mapping_is_rewritten() -> None:
    """A store by another linear address of the same page reaches a train as well."""
    machine = long_mode_machine("""
        mov ecx, 6
    1:  mov byte ptr [0x500000 + 2f - _start + 1], cl
    2:  mov al, 0x55
        movzx eax, al
        add ebx, eax
        dec ecx
        jnz 1b
        hlt""", translate_after=ALWAYS)  # fmt: skip
    machine.write(page_entry(0x50_0000), (ENTRY | PRESENT | WRITABLE).to_bytes(8, "little"))
    machine.run()
    assert machine.vcpus[0].read_register("rbx") == 21


def test_code_written_from_python_is_seen() -> None:
    machine = long_mode_machine("1: add ebx, 1\nmov eax, ebx\njmp 1b", translate_after=ALWAYS)
    machine.run(machine.now + 300)
    before = machine.vcpus[0].read_register("rbx")
    machine.write(ENTRY + 2, b"\x03")
    machine.run(machine.now + 30)
    assert machine.vcpus[0].read_register("rbx") == before + 30


def test_another_processor_rewrites_a_train() -> None:
    machine = long_mode_machine("""
        test edi, edi
        jnz 2f
        mov ecx, 4000
    1:  add rax, rcx
        dec ecx
        jnz 1b
        mov dword ptr [rip + 3f + 1], 42
        hlt
    2:  mov r8d, r8d
    3:  mov ebx, 1
        cmp ebx, 42
        jne 2b
        hlt""", cpus=2, translate_after=ALWAYS)  # fmt: skip
    machine.run()
    assert machine.vcpus[1].read_register("rbx") == 42
    assert all(vcpu.activity == "halted" for vcpu in machine.vcpus)


def test_a_fault_inside_a_train_is_that_instruction_s() -> None:
    ends = []
    for translate_after in (NEVER, ALWAYS):
        machine = long_mode_machine("""
            mov ecx, 3
            mov edx, 0x400000
        1:  add rax, rcx
            mov [rdx], rax
            add r8, [rdx]
            add edx, 0x180000
            dec ecx
            jnz 1b
            hlt""", translate_after=translate_after)  # fmt: skip
        machine.write(page_entry(0x58_0000), bytes(8))
        end = machine.run()
        ends.append((end, machine.retired, machine.vcpus[0].registers()))
    assert ends[0] == ends[1]
    assert ends[0][0].faults[0].address == 0x58_0000


def test_a_page_that_loses_its_right_to_be_written_faults_in_a_train() -> None:
    """The guess by base register must not outlive the TLB entry."""
    machine = long_mode_machine(f"""
        mov ebx, {DATA}
        mov ecx, 4
    1:  mov [rbx], rcx
        mov [rbx + 8], rcx
        and qword ptr [{page_entry(DATA)}], ~2
        invlpg [rbx]
        mov [rbx + 16], rcx
        dec ecx
        jnz 1b
        hlt""", translate_after=ALWAYS)  # fmt: skip
    end = machine.run()
    assert end.reason is ExitReason.SHUTDOWN
    assert end.faults[0].address == DATA + 16
    assert machine.vcpus[0].read_register("rcx") == 4


def test_a_train_runs_across_pages() -> None:
    """Straight code, calls and branches over page ends; the branch cannot be linked there."""
    assert hot_result("""
        mov ecx, 10
    1:  call 2f
        dec ecx
        jnz 1b
        hlt
        .org 0xff9
    2:  add ebx, 1
        add ebx, 2
        add ebx, 3
        test ecx, 1
        jz 3f
        add ebx, 100
    3:  jmp 4f
        .org 0x2ffe
    4:  add rbx, 1000
        ret""") == 10 * 1006 + 5 * 100  # fmt: skip


def test_hooks_are_called_for_translated_code() -> None:
    machine = long_mode_machine(
        "mov ecx, 9\n1: add ebx, ecx\nmov [0x400000], ebx\ndec ecx\njnz 1b\nhlt",
        translate_after=ALWAYS,
    )
    machine.run(machine.now + 12)
    written = []
    machine.add_hook(
        lambda vcpu, address, size, write: written.append(address),
        kinds="w", first=DATA, last=DATA + 3,
    )  # fmt: skip
    number = machine.add_hook(None, kinds="x", first=ENTRY + 5, last=ENTRY + 5)
    reasons = []
    while machine.run().reason is ExitReason.HOOK:
        reasons.append(machine.vcpus[0].read_register("rcx"))
    assert reasons == [6, 5, 4, 3, 2, 1]
    assert len(written) in {6, 7}
    machine.remove_hook(number)
    assert machine.vcpus[0].read_register("rbx") == 45


def test_hardware_breakpoints_stop_in_translated_code() -> None:
    machine = long_mode_machine(
        "mov ecx, 9\n1: add ebx, ecx\nnop\ndec ecx\njnz 1b\nhlt", translate_after=ALWAYS
    )
    machine.run(machine.now + 11)
    vcpu = machine.vcpus[0]
    vcpu.write_register("dr0", ENTRY + 5)
    vcpu.write_register("dr7", 0x401)
    end = machine.run()
    assert end.faults[0].vector == 1
    assert end.faults[0].rip == ENTRY + 5


def test_a_child_process_translates_for_itself() -> None:
    """Host code is shared memory: what a child writes must not be what its parent executes."""
    machine = long_mode_machine(
        "1: add rbx, 1\nadd rax, rbx\njmp 1b\n.org 0x80\n2: sub rbx, 1\nadd rax, 7\njmp 2b",
        translate_after=ALWAYS,
    )
    machine.run(machine.now + 100)
    child = os.fork()
    if child == 0:
        machine.vcpus[0].write_register("rip", ENTRY + 0x80)
        machine.run(machine.now + 3000)
        machine.run(machine.now + 3000)
        os._exit(machine.vcpus[0].read_register("rbx") & 0x7F)
    _, status = os.waitpid(child, 0)
    before = machine.vcpus[0].read_register("rbx")
    assert os.waitstatus_to_exitcode(status) == (before - 2000) & 0x7F
    machine.run(machine.now + 300)
    assert machine.vcpus[0].read_register("rbx") == before + 100
