"""Frames: what goes over the wire for a payload, and back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.packet import Decoder, Mark, escape, frame, payload_of, shorten_runs


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        (b"", b"$#00"),
        (b"OK", b"$OK#9a"),
        (b"E01", b"$E01#a6"),
        (b"0000", b"$0000#c0"),
        (b"0" * 98, b"$%b#60" % (b"0" * 98)),
        (b"a#b", b"$a}\x03b#43"),
    ],
)
def test_frames(payload, packet):
    assert frame(payload) == packet


def test_the_manuals_example_of_a_run():
    assert shorten_runs(b"0000") == b"0* "


@pytest.mark.parametrize("count", range(1, 210))
def test_runs_never_use_the_characters_of_frames(count):
    short = shorten_runs(b"0" * count)
    assert not {ord("$"), ord("#")} & set(short)
    assert payload_of(short) == b"0" * count
    assert len(short) <= 3 * (count // 90 + 3)


@given(st.binary(max_size=600) | st.text("0*}x", max_size=300).map(str.encode))
def test_what_is_framed_is_decoded(payload):
    assert Decoder().feed(frame(payload)) == [payload]
    assert payload_of(escape(payload)) == payload


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_it_does_not_matter_how_a_stream_is_cut(payloads, cuts):
    stream = b"+".join(map(frame, payloads))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = Decoder()
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    found = [item for piece in pieces for item in decoder.feed(piece)]
    assert [item for item in found if not isinstance(item, Mark)] == payloads


def test_marks_between_packets():
    assert Decoder().feed(b"+-\x03noise$OK#9A") == [Mark.ACK, Mark.NAK, Mark.INTERRUPT, b"OK"]


def test_an_interrupt_character_inside_a_packet_is_data():
    assert Decoder().feed(b"$X0,1:\x03#%02x" % (sum(b"X0,1:\x03") & 0xFF)) == [b"X0,1:\x03"]


@pytest.mark.parametrize("packet", [b"$OK#00", b"$OK#zz", b"$a}#de", b"$*~#a8", b"$0*\x05#5f"])
def test_damaged_packets(packet):
    assert Decoder().feed(packet) == [Mark.CORRUPT]


def test_a_packet_that_begins_anew():
    assert Decoder().feed(b"$OKgarb$OK#9a") == [b"OK"]


def test_a_packet_without_end_takes_no_memory():
    decoder = Decoder(longest=100)
    assert decoder.feed(b"$" + b"x" * 100_000) == []
    assert decoder.feed(b"#00$OK#9a") == [Mark.CORRUPT, b"OK"]


@given(st.binary(max_size=300))
def test_noise_raises_nothing(noise):
    decoder = Decoder()
    decoder.feed(noise)
    assert decoder.feed(b"#00#00$OK#9a")[-1] == b"OK"
