"""The key table against facts of the two scan code sets."""

from __future__ import annotations

from pykern.machine.devices.scancodes import KEYS, SET2_TO_SET1, codes, strokes


def test_every_code_belongs_to_one_key() -> None:
    assert len({key.set1 for key in KEYS.values()}) == len(KEYS)
    assert len({key.set2 for key in KEYS.values()}) == len(KEYS)


def test_prefixes_agree_between_the_sets() -> None:
    assert all((key.set1 > 0xFF) == (key.set2 > 0xFF) for key in KEYS.values())


def test_translation_is_a_function() -> None:
    """A prefixed key shares its code with a plain one in both sets or in none."""
    for key in KEYS.values():
        assert SET2_TO_SET1[key.set2 & 0xFF] == key.set1 & 0xFF


def test_set_1_codes_are_seven_bits() -> None:
    assert all(key.set1 & 0xFF < 0x80 for key in KEYS.values())


def test_translating_set_2_sequences_gives_set_1_sequences() -> None:
    for name in (*KEYS, "print_screen", "pause"):
        for down in (True, False):
            translated = bytearray()
            released = 0
            for byte in codes(name, down=down, scan_set=2):
                if byte == 0xF0:
                    released = 0x80
                    continue
                translated.append(SET2_TO_SET1.get(byte, byte) | released)
                released = 0
            assert bytes(translated) == codes(name, down=down, scan_set=1), (name, down)


def test_all_printable_ascii_can_be_typed() -> None:
    typed = strokes("".join(map(chr, range(0x20, 0x7F))) + "\n\t\b\x1b")
    held: set[str] = set()
    for name, down in typed:
        assert (name in held) != down
        (held.add if down else held.remove)(name)
    assert not held
