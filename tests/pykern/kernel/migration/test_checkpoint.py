"""A process in a file: whole, or refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.migration import BadMessage, ProcessImage
from pykern.kernel.migration.checkpoint import decode, encode
from pykern.kernel.migration.wire import Type, pack
from tests.pykern.kernel.migration.example import IMAGE

MAGIC = b"pykern checkpoint 1\n"
PAGES = {laddr: bytes([n]) * 4096 for n, laddr in enumerate(IMAGE["resident"])}
FILE = encode(ProcessImage(**IMAGE), PAGES)


def sealed(*messages):
    data = MAGIC + b"".join(messages)
    return data + hashlib.sha256(data).digest()


def test_a_file_holds_the_process():
    """MYR-25: all of it, and its pages."""
    image, pages = decode(FILE)
    assert pages == PAGES
    assert image.files == IMAGE["files"]


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_a_bit_that_was_changed_is_noticed(at, mask):
    changed = bytearray(FILE)
    changed[at] ^= mask
    with pytest.raises(BadMessage, match=r"no checkpoint|was changed"):
        decode(bytes(changed))


@given(st.integers(0, len(FILE) - 1))
def test_a_part_of_a_file_is_noticed(size):
    with pytest.raises(BadMessage, match=r"no checkpoint|not whole"):
        decode(FILE[:size])


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ((), "without a state"),
        ((pack(Type.PAGE, 0x400000, bytes(4096)),), "without a state"),
        ((pack(Type.COMMIT),), "COMMIT in a checkpoint"),
        ((b"\xff" * 40,), "message of type 255"),
        ((pack(Type.PAGE, 1 << 63, bytes(4096)),), "page 0x8000000000000000"),
        ((pack(Type.STATE, 0, b"{}"),), "expected actions"),
        ((pack(Type.STATE, 0, ProcessImage(**IMAGE).encode()),), "without page 0x400000"),
    ],
)
def test_a_file_that_is_sealed_and_wrong_is_refused(messages, what):
    """Whoever forges one can make its digest as well."""
    with pytest.raises(BadMessage, match=what):
        decode(sealed(*messages))
