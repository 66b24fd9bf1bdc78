"""A state as a file: it comes back as it was, and whatever is not one is refused in words."""

from __future__ import annotations

import json
import random

import pytest

from gdbstub import ThreadId
from pykern.debug.history import recording
from pykern.debug.history.journal import Input, Write
from pykern.debug.history.position import Position
from pykern.debug.history.recording import Recording, RecordingError, decode

MACHINE = {
    "options": {"seed": "3", "initrd": ["a", "b"]},
    "files": [{"path": "x.iso", "size": 3, "sha256": "00"}],
}
ENTRIES = (
    Input(Position((5, 7), 40), b"ls\n\xff"),
    Write(Position((6, 7), 50, 1, 0, 0x1234), ThreadId(1, 1), {"rax": 1 << 63, "ymm3h": 5}),
    Write(Position((6, 9), 51, 2), ThreadId(1, 2), address=0xFFFF_8000_0000_0000, data=b"\0\1"),
)
GOOD = Recording(MACHINE, ENTRIES, Position((8, 9), 60, 3, 1, 0x1000, (0x40, True)), "a" * 64, "1")


def signed(body):
    """Return a file whose digest is right, whatever is in it."""
    body = {key: value for key, value in body.items() if key != "sha256"}
    return json.dumps({**body, "sha256": recording.digest(body)}).encode()


def test_what_is_written_is_read():
    data = GOOD.encode()
    assert decode(data) == GOOD
    assert json.loads(data)["format"] == "pykern recording"
    assert GOOD.encode() == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "without"),
        (b'{"format": "other"}', "without"),
        (b'{"format": "pykern recording", "version": 2}', "version 2, expected 1"),
        (GOOD.encode().replace(b'"now": 60', b'"now": 61'), "damaged"),
    ],
)
def test_no_recording(data, said):
    with pytest.raises(RecordingError, match=said):
        decode(data)


def test_any_byte_that_is_another_is_noticed():
    """All positions and lengths by chance: always the one error, never another (I4)."""
    data, chance = GOOD.encode(), random.Random(4)
    for _ in range(3000):
        broken = bytearray(data)
        match chance.randrange(3):
            case 0:
                broken[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                del broken[chance.randrange(len(data)) :]
            case _:
                broken[chance.randrange(len(data))] = chance.randrange(256)
        try:
            assert decode(bytes(broken)) == GOOD
        except RecordingError:
            continue


def places(value, path=()):
    """Return the path of every value inside of another."""
    yield path
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, one in list(inside):
        yield from places(one, (*path, key))


ODD = (None, True, -1, 1 << 64, 1 << 600, 0.5, "", "zz", "abc", [], [1], [[], {}], {}, {"x": 1})


def test_whoever_signs_nonsense_is_told_what_is_wrong():
    """The digest is right, one value is not what belongs there; or it is missing."""
    body = json.loads(GOOD.encode())
    refused = 0
    for path in places(body):
        for odd in (*ODD, "missing"):
            changed = json.loads(GOOD.encode())
            *way, last = path or [None]
            if last is None:
                continue
            holder = changed
            for key in way:
                holder = holder[key]
            if odd == "missing":
                del holder[last]
            else:
                holder[last] = odd
            try:
                found = decode(signed(changed))
            except RecordingError:
                refused += 1
            else:
                assert isinstance(found, Recording)
                found.encode()
    assert refused > 500
