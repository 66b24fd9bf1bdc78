"""Programs that load, and files that say why they do not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.binfmt import elf
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.space import AddressSpace
from pykern.kernel.mm.vma import PROT_EXEC, PROT_READ, PROT_WRITE
from pykern_c import Machine
from tests.pykern.kernel import hosted

BASE = 0x40_0000
CODE = b"\xb8\x3c\0\0\0\x0f\x05"


class Segment:
    """One program header of a file to build."""

    def __init__(self, vaddr, data, flags=5, memsz=None, kind=1):
        self.vaddr, self.data, self.flags, self.kind = vaddr, data, flags, kind
        self.memsz = len(data) if memsz is None else memsz


def build(segments, entry=BASE, kind=2):
    """Return an ELF file; segments begin at offsets that fit their addresses."""
    headers, body = b"", bytearray(4096)
    for s in segments:
        offset = -(-len(body) // 4096) * 4096 + s.vaddr % 4096
        body.extend(bytes(offset - len(body)))
        body += s.data
        headers += struct.pack(
            "<IIQQQQQQ", s.kind, s.flags, offset, s.vaddr, s.vaddr, len(s.data), s.memsz, 4096
        )
    head = b"\x7fELF\2\1\1" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", kind, 62, 1, entry, 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    body[: len(head) + len(headers)] = head + headers
    return bytes(body)


GOOD = build([Segment(BASE, CODE), Segment(BASE + 0x2010, b"data", 6, 9000)])


@pytest.fixture(scope="module")
def new_space():
    machine = Machine(8 << 20)
    frames = FrameAllocator(machine, [(0x10_0000, 7 << 20)])
    template = frames.alloc()

    def make():
        return AddressSpace(frames, machine, template)

    make.frames = frames
    return make


@pytest.fixture
def space(new_space):
    made = new_space()
    yield made
    made.release()


def test_segments_are_mapped_with_their_rights_and_zeroes_behind(space):
    """MEL-25, MEL-49."""
    loaded = elf.load(elf.parse(GOOD, "good"), space)
    assert loaded.entry == BASE
    assert space.copy_in(BASE, len(CODE)) == CODE
    assert space.copy_in(BASE + 0x2010, 9000) == b"data".ljust(9000, b"\0")
    text, data = space.vmas.find(BASE), space.vmas.find(BASE + 0x2010)
    assert (text.prot, data.prot) == (PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE)
    assert loaded.end == BASE + 0x5000


def test_a_movable_program_is_moved_as_a_whole(space):
    image = build([Segment(0, CODE), Segment(0x3000, b"x", 6)], entry=4, kind=3)
    program = elf.parse(image, "pie")
    assert program.movable
    loaded = elf.load(program, space, elf.PIE_BASE)
    assert loaded.entry == elf.PIE_BASE + 4
    assert space.copy_in(elf.PIE_BASE + 0x3000, 1) == b"x"


def test_the_interpreter_is_a_path_that_ends():
    image = build([Segment(BASE, CODE), Segment(BASE + 0x1000, b"/lib/ld.so\0", kind=3)])
    assert elf.parse(image, "dynamic").interpreter == "/lib/ld.so"
    image = build([Segment(BASE, CODE), Segment(BASE + 0x1000, b"/lib/ld.so", kind=3)])
    with pytest.raises(elf.NotExecutable, match="PT_INTERP"):
        elf.parse(image, "dynamic")


def _patched(offset, form, value):
    raw = bytearray(GOOD)
    struct.pack_into(form, raw, offset, value)
    return bytes(raw)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n" * 20, "not an ELF file: begins with b'#!/b'"),
        (GOOD[:60], "not an ELF file"),
        (_patched(4, "<B", 1), "EI_CLASS is 1, expected 2"),
        (_patched(5, "<B", 2), "EI_DATA is 2, expected 1"),
        (_patched(16, "<H", 1), "e_type is 1, expected 2 or 3"),
        (_patched(18, "<H", 183), "e_machine is 183, expected 62"),
        (_patched(54, "<H", 32), "e_phentsize is 32, expected 56"),
        (_patched(56, "<H", 0), "program headers end"),
        (_patched(56, "<H", 60000), "program headers end"),
        (_patched(32, "<Q", (1 << 64) - 56), "program headers end"),
        (_patched(64, "<I", 4), None),
        (_patched(64 + 32, "<Q", 1 << 40), "of a file of"),
        (_patched(64 + 40, "<Q", 1), "for 0x1 bytes of memory"),
        (_patched(64 + 40, "<Q", (1 << 64) - 1), "out of order or out of range"),
        (_patched(64 + 16, "<Q", BASE + 1), "differ within a page"),
        (_patched(64 + 16, "<Q", 1 << 63), "out of order or out of range"),
        (build([Segment(BASE + 0x4000, b"x"), Segment(BASE, b"y")]), "out of order"),
        (build([Segment(BASE, b"x", kind=4)]), "no PT_LOAD segment"),
    ],
)
def test_what_cannot_be_run_says_why_in_one_line(image, reason):
    if reason is None:
        elf.parse(image, "odd")
        return
    with pytest.raises(elf.NotExecutable) as caught:
        elf.parse(image, "/bin/odd")
    assert caught.value.errno == Errno.ENOEXEC
    assert str(caught.value).startswith("/bin/odd: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def _try(image, new_space):
    """Load, or be refused in words; never anything else, and nothing stays behind."""
    space = new_space()
    free = new_space.frames.statistics().free
    try:
        program = elf.parse(image, "fuzz")
        elf.load(program, space, elf.PIE_BASE if program.movable else 0)
        refusal = None
    except SysError as error:
        refusal = error
    space.release()
    if isinstance(refusal, elf.NotExecutable):
        assert len(str(refusal).splitlines()) == 1
    elif refusal is not None:
        assert refusal.errno in {Errno.ENOMEM, Errno.EINVAL, Errno.EFAULT}
    assert new_space.frames.statistics().free >= free


_SMALL = st.sampled_from([0, 1, 2, 3, 4095, 4096, 4097, 1 << 31, 1 << 47, (1 << 64) - 1])
_MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 64 + 2 * 56 - 8), st.sampled_from("BHIQ"), _SMALL | st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)


def _mutated(image, mutations):
    raw = bytearray(image)
    for offset, form, value in mutations:
        mask = (1 << 8 * struct.calcsize(form)) - 1
        struct.pack_into("<" + form, raw, offset, value & mask)
    return bytes(raw)


@given(_MUTATIONS, st.integers(0, len(GOOD)))
def test_mutated_files_are_loaded_or_refused(new_space, mutations, size):
    _try(_mutated(GOOD, mutations)[:size], new_space)
    _try(_mutated(GOOD, mutations), new_space)


@given(_MUTATIONS)
def test_mutated_programs_of_a_compiler_are_loaded_or_refused(new_space, mutations):
    """MEL-49: a real file of gcc and ld."""
    _try(_mutated(hosted.compiled("start.c").read_bytes(), mutations), new_space)


@given(st.binary(max_size=300))
def test_garbage_is_refused(new_space, data):
    _try(b"\x7fELF\2\1\1" + data, new_space)


def test_the_stack_is_as_the_psabi_has_it(space):
    """x86-64 psABI, Process Initialization."""
    space.map_stack(1 << 20)
    top = space.layout.top
    arguments, environment = [b"prog", b"", b"two words"], [b"A=1"]
    rsp = elf.build_stack(space, top, arguments, environment, {6: 4096}, b"r" * 16, b"/bin/prog")
    assert rsp % 16 == 0

    def string(uaddr):
        return space.read_cstring(uaddr)

    words = struct.unpack("<24Q", space.copy_in(rsp, 192))
    assert words[0] == 3
    assert [string(w) for w in words[1:4]] == arguments
    assert words[4] == 0
    assert string(words[5]) == b"A=1"
    assert words[6] == 0
    vector = dict(zip(words[7:17:2], words[8:18:2], strict=True))
    assert vector[6] == 4096
    assert space.copy_in(vector[elf.AT_RANDOM], 16) == b"r" * 16
    assert string(vector[elf.AT_EXECFN]) == b"/bin/prog"
    assert vector[elf.AT_NULL] == 0


def test_too_many_arguments_are_refused(space):
    space.map_stack(1 << 20)
    with pytest.raises(SysError) as caught:
        elf.build_stack(space, space.layout.top, [b"x" * 200_000], [], {}, bytes(16), b"p")
    assert caught.value.errno == Errno.E2BIG
