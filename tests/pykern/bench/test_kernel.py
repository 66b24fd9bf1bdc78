"""What the hosted kernel costs: the rates are of what they say, whatever their values."""

from __future__ import annotations

import json

import pytest

from pykern import bench
from pykern.bench import kernel
from tests import booting


@pytest.mark.parametrize(
    ("rate", "reached"),
    [
        (kernel.Rate("calls", 10, 9, "/s"), True),
        (kernel.Rate("calls", 8, 9, "/s"), False),
        (kernel.Rate("boot", 8, 9, "s", at_least=False), True),
        (kernel.Rate("boot", 10, 9, "s", at_least=False), False),
    ],
)
def test_a_line_says_what_was_missed(rate, reached):
    assert rate.reached is reached
    assert kernel.line(rate).endswith("MISSED") is not reached


def test_what_is_measured_has_been_done():
    """IPC, MEL-20: a boot that runs `kbench` prints its count, and takes virtual time."""
    booting.packaged()
    program = booting.prebuilt.programs()["kbench"].read_bytes()
    initrd = booting.cpio.archive([booting.cpio.Member("/bin/kbench", program, 0o100755)], 0)
    printed, seconds, virtual = kernel.run("init=/bin/kbench -- ipc 100", initrd=initrd)
    assert b"ipc 100: " in printed
    assert seconds > 0
    assert virtual > 100 * 100  # a hostcall for each message, at least


def test_rates_and_the_table_have_one_column(monkeypatch, capsys, tmp_path):
    """`bench --only kernel` prints each rate, and writes it as JSON; --check gives the status."""
    rates = [kernel.Rate("fast", 2, 1, "/s"), kernel.Rate("slow", 1, 2, "/s")]
    monkeypatch.setattr(kernel, "rates", lambda: iter(rates))
    out = tmp_path / "bench.json"
    options = ["--only", "kernel", "--peers", "none", "--json", str(out)]
    assert bench.main(options) == bench.STATUS_OK
    assert bench.main([*options, "--check"]) == bench.STATUS_WRONG
    assert capsys.readouterr().out.count("slow") == 2
    data = json.loads(out.read_text())
    assert [rate["name"] for rate in data["kernel"]] == ["fast", "slow"]
    assert data["host"] == []


def test_the_list_names_the_group(capsys):
    assert bench.main(["--list"]) == bench.STATUS_OK
    assert "what the hosted kernel costs" in capsys.readouterr().out


@pytest.mark.slow
def test_all_of_it_is_measured():
    """MEL-20, MEL-40, MIC-03, MIC-04: every rate is there; what no host has a say in is reached.

    Whether the others are, says `bench --check`.
    """
    booting.packaged()
    rates = list(kernel.rates())
    assert len(rates) == 7
    assert all(rate.value > 0 for rate in rates)
    virtual = {rate.name: rate for rate in rates if "virtual" in rate.unit}
    assert all(rate.reached for rate in virtual.values()), virtual
