"""Requests are found where the protocol says, and damaged ones are refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine.boot import BootError, BootOptions
from pykern.machine.boot import limine_structs as ls
from pykern.machine.boot.limine import LimineProtocol

BASE = 0xFFFFFFFF80000000
START = struct.pack("<4Q", *ls.REQUESTS_START_MARKER)
END = struct.pack("<2Q", *ls.REQUESTS_END_MARKER)


def request(feature, *extra, revision=0) -> bytes:
    return struct.pack(f"<{6 + len(extra)}Q", *ls.COMMON_MAGIC, *feature, revision, 0, *extra)


def tag(revision: int) -> bytes:
    return struct.pack("<3Q", *ls.BASE_REVISION_MAGIC, revision)


class Apics:
    local = ()


def load(machine, elf64, *parts: bytes, size=0x1000):
    machine.cpu.activate = lambda: None
    machine.apics = Apics()
    data = b"".join(parts).ljust(size, b"\0")
    LimineProtocol().load(
        elf64.segment(BASE, data).build(BASE), machine, BootOptions(name="k", command_line="x")
    )
    return machine


def words(machine, count: int) -> tuple[int, ...]:
    """Return the first words of the loaded image, through the page tables."""
    return struct.unpack(f"<{count}Q", machine.read(machine.translate(BASE), 8 * count))


def test_a_request_is_answered_in_place(machine, elf64):
    load(machine, elf64, tag(3), bytes(8), request(ls.HHDM))
    found = words(machine, 10)
    assert found[:3] == (ls.BASE_REVISION_MAGIC[0], 3, 0)
    response = machine.translate(found[9])
    assert struct.unpack("<2Q", machine.read(response, 16)) == (0, 0xFFFF800000000000)


def test_requests_have_to_be_aligned(machine, elf64):
    load(machine, elf64, b"\0\0\0\0", request(ls.HHDM))
    assert machine.read(machine.translate(BASE), 52)[44:] == bytes(8)


def test_unknown_requests_are_left_alone(machine, elf64):
    load(machine, elf64, request((1, 2)))
    assert words(machine, 6)[5] == 0


@pytest.mark.parametrize("revision", [0, 3])
def test_only_what_is_between_the_markers_counts(machine, elf64, revision):
    one = request(ls.HHDM)
    load(machine, elf64, one, START, one, START, tag(revision), request(ls.HHDM), END, one, END)
    found = words(machine, 6 + 4 + 6 + 4 + 3 + 6 + 2 + 6)
    assert found[5] == found[15] == found[-1] == 0
    assert found[28]


def _refused(machine, elf64, *parts, **options) -> str:
    with pytest.raises(BootError) as caught:
        load(machine, elf64, *parts, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_request_made_twice(machine, elf64):
    message = _refused(machine, elf64, request(ls.HHDM), request(ls.HHDM))
    assert message == (
        "k: the request 0x48dcf1cb8ad2b852, 0x63984e959a98244b is at 0xffffffff80000000 and again "
        "at 0xffffffff80000030, expected once"
    )


def test_two_tags(machine, elf64):
    assert "base revision tags at 0xffffffff80000000, 0xffffffff80000018" in _refused(
        machine, elf64, tag(3), tag(2)
    )


def test_cut_off(machine, elf64):
    assert "is cut off by the end of the image" in _refused(
        machine, elf64, bytes(0x1000 - 16), struct.pack("<2Q", *ls.COMMON_MAGIC)
    )


def test_a_cut_off_tag(machine, elf64):
    assert "base revision tag at 0xffffffff80000ff0 is cut off" in _refused(
        machine, elf64, bytes(0x1000 - 16), struct.pack("<2Q", *ls.BASE_REVISION_MAGIC)
    )


def test_a_request_without_its_own_fields(machine, elf64):
    padding = bytes(0x1000 - 48)
    assert "request 0x224ef0460a8e8926 at 0xffffffff80000fd0 needs 8 bytes" in _refused(
        machine, elf64, padding, request(ls.STACK_SIZE)
    )


def test_a_stack_without_end(machine, elf64):
    message = _refused(machine, elf64, request(ls.STACK_SIZE, (1 << 64) - 1))
    assert message.startswith("k: stack needs 18446744073709551616 bytes")


def test_an_entry_point_outside(machine, elf64):
    message = _refused(machine, elf64, request(ls.ENTRY_POINT, 0x1234))
    assert "the entry point needs 1 bytes at 0x1234; the image occupies" in message


def test_five_level_paging_only(machine, elf64):
    fields = request(ls.PAGING_MODE, 1, 1, 1, revision=1)
    assert "min_mode 1, expected 0" in _refused(machine, elf64, fields)
    # Revision 0 says what is wished for, no more.
    load(machine, elf64, request(ls.PAGING_MODE, 1))


@pytest.mark.parametrize(
    ("count", "pointer", "message"),
    [
        (1 << 40, BASE, "internal_module_count is 1099511627776, expected at most 4096"),
        (1, 0x1000, "internal_modules needs 8 bytes at 0x1000"),
        (1, BASE + 0x800, "an internal module needs 24 bytes at 0x0"),
    ],
)
def test_internal_modules_that_are_nowhere(machine, elf64, count, pointer, message):
    fields = request(ls.MODULE, count, pointer, revision=1)
    assert message in _refused(machine, elf64, fields)


def test_a_path_without_end(machine, elf64):
    table = struct.pack("<4Q", BASE + 72, BASE + 0xFFF, 0, 0)
    parts = (request(ls.MODULE, 1, BASE + 64, revision=1), table, b"\1" * (0x1000 - 96))
    assert "path of an internal module at 0xffffffff80000fff is not 0-terminated" in _refused(
        machine, elf64, *parts
    )


def test_compressed_internal_modules(machine, elf64):
    table = struct.pack("<4Q", BASE + 72, BASE + 0x100, 0, 2)
    parts = (request(ls.MODULE, 1, BASE + 64, revision=1), table)
    assert "has flag 2 (compressed)" in _refused(machine, elf64, *parts)


def _with_section(image: bytes, pointers: bytes) -> bytes:
    """Append a `.limine_reqs` section to an ELF file without sections."""
    names = b"\0.limine_reqs\0.shstrtab\0"
    at = len(image)
    header = struct.Struct("<IIQQQQIIQQ")
    table = b"".join(
        (
            header.pack(*[0] * 10),
            header.pack(1, 1, 0, 0, at, len(pointers), 0, 0, 8, 0),
            header.pack(14, 3, 0, 0, at + len(pointers), len(names), 0, 0, 1, 0),
        )
    )
    patched = bytearray(image + pointers + names + table)
    struct.pack_into("<Q", patched, 0x28, at + len(pointers) + len(names))
    struct.pack_into("<HHH", patched, 0x3A, header.size, 3, 2)
    return bytes(patched)


@pytest.mark.parametrize("revision", [0, 1])
def test_the_section_of_base_revision_0(machine, elf64, revision):
    data = request(ls.HHDM) + request(ls.BOOTLOADER_INFO) + tag(revision)
    image = elf64.segment(BASE, data.ljust(0x1000, b"\0")).build(BASE)
    listed = struct.pack("<3Q", BASE, 0, BASE + 48)
    LimineProtocol().load(_with_section(image, listed), machine, BootOptions(name="k"))
    found = words(machine, 12)
    assert found[5]
    assert bool(found[11]) == (revision == 1)


def test_a_section_that_lists_nonsense(machine, elf64):
    image = elf64.segment(BASE, request(ls.HHDM)).build(BASE)
    with pytest.raises(BootError, match=r"section \.limine_reqs lists 0x123, expected a multiple"):
        LimineProtocol().load(
            _with_section(image, struct.pack("<Q", 0x123)), machine, BootOptions(name="k")
        )


FEATURES = [
    value
    for name, value in vars(ls).items()
    if name.isupper() and isinstance(value, tuple) and len(value) == 2 and "MAGIC" not in name
    and "MARKER" not in name
]  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FEATURES),
            st.sampled_from([0, 1, 2, 1 << 63]),
            st.lists(
                st.sampled_from([0, 1, BASE, BASE + 8, BASE + 0xFF8, 1 << 40, (1 << 64) - 1]),
                min_size=3,
                max_size=3,
            ),
        ),
        max_size=6,
        unique_by=lambda item: item[0],
    ),
    st.integers(0, 4),
)
def test_any_requests_boot_or_are_refused(make_machine, wanted, base):
    from tests.pykern.machine.boot.conftest import ElfBuilder

    parts = [request(feature, *extra, revision=revision) for feature, revision, extra in wanted]
    message = "k: it boots"
    try:
        load(make_machine(8 << 20), ElfBuilder(64), tag(base), *parts)
    except BootError as error:
        message = str(error)
    assert message.startswith("k: ")
    assert "\n" not in message


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(st.integers(0, 0x3DF0), st.sampled_from([0, 1, 0x40, 0x7F, 0x80, 0xFF])),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 0x3DF0) | st.none(),
)
def test_a_damaged_kernel_boots_or_is_refused(limine_guest, make_machine, changes, end):
    """A real kernel with a few bytes changed, or cut off."""
    image = bytearray(limine_guest("BASE_REVISION=3"))
    for offset, value in changes:
        image[offset % 0x200 if offset % 3 else offset] = value  # the headers more often
    machine = make_machine(8 << 20)
    machine.cpu.activate = lambda: None
    machine.apics = Apics()
    options = BootOptions(name="k", read_file=lambda _path: b"module")
    message = "k: it boots"
    try:
        LimineProtocol().load(bytes(image[:end]), machine, options)
    except BootError as error:
        message = str(error)
    assert message.startswith("k: ")
    assert "\n" not in message
