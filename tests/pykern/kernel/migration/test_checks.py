"""What comes of a file or another machine is hostile: it is refused, and nothing else happens."""

from __future__ import annotations

import copy
import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.migration import BadMessage, ProcessImage
from pykern.kernel.migration.checks import check_page
from pykern.kernel.task.sigaction import UNBLOCKABLE
from pykern.kernel.x86.layout import RFLAGS, SELECTORS
from tests.pykern.kernel.migration.example import IMAGE

HUGE = 1 << 64
WRONG = {
    "a directory that is not absolute": (("cwd",), "tmp"),
    "a name with a new line": (("name",), "a\nb"),
    "text that no byte stands for": (("environment", 0), "\ud800"),
    "a word with a zero": (("arguments", 0), "a\0b"),
    "an area of the kernel": (("areas", 0, 1), 0xFFFF_8000_0000_0000),
    "an area that ends before it begins": (("areas", 0, 1), 0x3FF000),
    "areas that overlap": (("areas", 0, 1), 0x601000),
    "half a page": (("areas", 0, 0), 0x400800),
    "rights that do not exist": (("areas", 0, 2), 8),
    "true as a number": (("areas", 0, 2), True),
    "a fraction": (("brk", 0), 1.5),
    "no threads": (("threads",), []),
    "an instruction pointer of the kernel": (
        ("threads", 0, "frame", "rip"),
        0xFFFF_FFFF_8000_0000,
    ),
    "a register of 65 bits": (("threads", 0, "frame", "rax"), HUGE),
    "a register that is negative": (("threads", 0, "frame", "rax"), -1),
    "a vector that there is not": (("threads", 0, "frame", "vector"), 0x101),
    "a segment base of the kernel": (("threads", 0, "fs_base"), 0xFFFF_8000_0000_0000),
    "a segment base that is not canonical": (("threads", 0, "gs_base"), 1 << 60),
    "half an FXSAVE image": (("threads", 0, "fpu"), "00" * 256),
    "no hexadecimal": (("threads", 0, "fpu"), "zz" * 512),
    "a sleep without end": (("threads", 0, "left_ns"), HUGE),
    "a signal that there is not": (("threads", 0, "pending", 0, 0), 65),
    "a signal's code of 33 bits": (("threads", 0, "pending", 0, 1), 1 << 32),
    "a signal with half a siginfo": (("threads", 0, "pending", 0, 7), "00" * 64),
    "a negative descriptor": (("files", 0, 0), -1),
    "a descriptor beyond the table": (("files", 2, 0), 1 << 20),
    "a descriptor twice": (("files", 2, 0), 0),
    "a descriptor shared with nothing": (("files", 0, 5), 3),
    "a negative offset": (("files", 0, 3), -1),
    "a file by a relative path": (("files", 0, 1), "dev/console"),
    "a handler of SIGKILL": (("actions",), {"9": IMAGE["actions"]["10"]}),
    "an action of no signal": (("actions",), {"x": IMAGE["actions"]["10"]}),
    "a signal number of many digits": (("actions",), {"1" * 5000: IMAGE["actions"]["10"]}),
    "user -1": (("identity", 0, 0), (1 << 32) - 1),
    "a page of the kernel": (("resident", 0), 0xFFFF_8000_0000_0000),
    "an object for a list": (("files",), {}),
    "a list for an object": (("actions",), []),
    "nothing": (("threads", 0, "frame"), None),
}


def changed(path, value):
    image = copy.deepcopy(IMAGE)
    place = image
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return image


def decode(image):
    return ProcessImage.decode(json.dumps(image).encode())


def test_what_is_right_passes():
    """The example of all tests below is one that passes, unchanged where it matters."""
    image = decode(IMAGE)
    assert image.arguments == IMAGE["arguments"]
    assert image.areas == IMAGE["areas"]
    assert image.files == IMAGE["files"]
    assert {field.name for field in fields(ProcessImage)} == set(IMAGE)


@pytest.mark.parametrize(("path", "value"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(path, value):
    """MYR-25: the message says where, what was found, and what was expected."""
    where = path[0]
    with pytest.raises(BadMessage, match=rf"{where}.*expected"):
        decode(changed(path, value))


def test_registers_are_those_of_user_mode():
    """Selectors and flags are not asked: no ring 0, no IOPL, interrupts on."""
    hostile = {"cs": 0x08, "ss": 0x10, "rflags": RFLAGS["IOPL"] | 1}
    image = copy.deepcopy(IMAGE)
    image["threads"][0]["frame"] |= hostile
    image["threads"][0]["blocked"] = (1 << 64) - 1
    thread = decode(image).threads[0]
    assert (thread["frame"]["cs"], thread["frame"]["ss"]) == (
        SELECTORS["USER_CS"],
        SELECTORS["USER_DS"],
    )
    assert thread["frame"]["rflags"] == RFLAGS["FIXED"] | RFLAGS["IF"] | 1
    assert not thread["blocked"] & UNBLOCKABLE


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[]", b"[" * 100_000, b"1" * 5_000, b"NaN"])
def test_what_is_no_image_at_all(data):
    with pytest.raises(BadMessage):
        ProcessImage.decode(data)


@pytest.mark.parametrize("name", sorted(IMAGE))
def test_nothing_may_be_missing_or_too_much(name):
    less = {key: value for key, value in IMAGE.items() if key != name}
    for image in (less, IMAGE | {"more": 1}):
        with pytest.raises(BadMessage, match="expected actions, alarm"):
            decode(image)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
PATHS = [(name,) for name in IMAGE] + [path for path, _ in WRONG.values()]


@given(st.sampled_from(PATHS), VALUES)
def test_any_value_anywhere_is_refused_or_harmless(path, value):
    """Fuzzing: nothing but BadMessage; what passes can be written down again, and passes again."""
    try:
        image = decode(changed(path, value))
    except BadMessage:
        return
    assert ProcessImage.decode(image.encode()) == image


@pytest.mark.parametrize("laddr", [1, 0x400800, 1 << 47, 1 << 63])
def test_a_page_is_one_of_user_mode(laddr):
    with pytest.raises(BadMessage, match=f"page {laddr:#x}"):
        check_page(laddr)
    check_page(0x400000)
