"""How the command line spells sizes, times, ports and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykern import config


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 << 20),
        ("512", 512 << 20),
        ("1G", 1 << 30),
        ("1GiB", 1 << 30),
        ("2048k", 2 << 20),
        ("size=64M", 64 << 20),
    ],
)
def test_size(text, size):
    assert config.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "-1M", "12T", "640K", "1.5G", "9999999G", "\N{SUPERSCRIPT TWO}"]
)
def test_bad_size(text):
    with pytest.raises(ValueError, match="memory size"):
        config.parse_size(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [("10", 10**10), ("0.25", 250_000_000), ("0.000000001", 1), ("3.1", 3_100_000_000)],
)
def test_seconds_are_exact(text, ns):
    assert config.parse_seconds(text) == ns


@pytest.mark.parametrize("text", ["", "1e3", "-1", "1.", "nan", "0.0000000001"])
def test_bad_seconds(text):
    with pytest.raises(ValueError, match="seconds"):
        config.parse_seconds(text)


@pytest.mark.parametrize(("text", "cpus"), [("1", 1), ("64", 64), ("cpus=4", 4)])
def test_cpus(text, cpus):
    assert config.parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["0", "65", "x", "", "4,sockets=2"])
def test_bad_cpus(text):
    with pytest.raises(ValueError, match="processors, expected 1 to 64"):
        config.parse_cpus(text)


def test_serial():
    assert config.parse_serial("stdio") == config.parse_serial("mon:stdio") == config.SerialSpec()
    assert config.parse_serial("null").kind == "null"
    assert config.parse_serial("file:a:b").path == Path("a:b")
    for text in ("file:", "tcp:1", ""):
        with pytest.raises(ValueError, match="expected stdio, null or file:PATH"):
            config.parse_serial(text)


def test_numbers():
    assert [config.parse_number(text) for text in ("10", "0x10", "0b11")] == [10, 16, 3]
    for text in ("-1", "ten", ""):
        with pytest.raises(ValueError, match="expected a number"):
            config.parse_number(text)


def test_hashing():
    assert config.parse_hashing("1000") == config.HashSpec(1000)
    assert config.parse_hashing("0x10:h.txt") == config.HashSpec(16, Path("h.txt"))
    with pytest.raises(ValueError, match="at least 1"):
        config.parse_hashing("0")


def test_traces():
    assert config.parse_traces("insn,mmio") == {"insn", "mmio"}
    for text in ("", "insn,foo"):
        with pytest.raises(ValueError, match="expected some of insn,int,mmio"):
            config.parse_traces(text)
