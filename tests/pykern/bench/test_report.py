"""Rates, ratios, means and verdicts of the report."""

from __future__ import annotations

import json

import pytest

from pykern.bench import report
from pykern.bench.measure import Measurement
from pykern.bench.programs import Program
from pykern.bench.report import Row

LOOP = Program("one", "loops", "none.c", 10)
OTHER_LOOP = Program("two", "loops", "none.c", 10)
SYSTEM = Program("ring", "system", "none.c", 10, events=1000)
BULK = Program("movsb:1", "bulk", "none.c", 10, bytes=1 << 20)


def row(program: Program, pykern: float, bochs: float, checksum: str = "1" * 16) -> Row:
    """Seconds of ten iterations on both machines."""
    return Row(
        program,
        {
            "pykern": Measurement("1" * 16, 10, pykern, 5e6),
            "bochs": Measurement(checksum, 10, bochs, 5e6 + 2),
        },
    )


def test_rate_uses_pykerns_count_for_every_machine() -> None:
    measured = row(LOOP, 0.1, 1.0)
    assert measured.rate("pykern") == pytest.approx(5e8)
    assert measured.rate("bochs") == pytest.approx(5e7)
    assert measured.rate("qemu") is None


def test_ratio_needs_no_count() -> None:
    measured = Row(
        LOOP,
        {"pykern": Measurement("", 20, 1.0, None), "bochs": Measurement("", 10, 4.0, None)},
    )
    assert measured.ratio("bochs") == pytest.approx(8.0)
    assert measured.rate("pykern") is None


def test_geometric_mean_of_incomplete_values_is_none() -> None:
    assert report.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert report.geometric_mean([2.0, None]) is None
    assert report.geometric_mean([]) is None


@pytest.mark.parametrize(("second", "verdict"), [(1.0, True), (0.5, False)])
def test_loops_are_judged_by_their_mean(second: float, verdict: bool) -> None:
    rows = [row(LOOP, 0.1, 0.7), row(OTHER_LOOP, 0.1, second)]
    assert all(each.reached is None for each in rows)
    assert report.group_reached("loops", rows) is verdict


@pytest.mark.parametrize(("bochs", "verdict"), [(0.31, True), (0.29, False)])
def test_system_programs_are_judged_each(bochs: float, verdict: bool) -> None:
    assert row(SYSTEM, 0.1, bochs).reached is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(0.0104, True), (0.0106, False)])
def test_bulk_is_judged_by_its_rate(seconds: float, verdict: bool) -> None:
    assert row(BULK, seconds, 1.0).reached is verdict


def test_differing_checksums_are_shown() -> None:
    wrong = row(LOOP, 0.1, 1.0, checksum="2" * 16)
    assert not wrong.agreed
    text = "\n".join(report.table([wrong]))
    assert "WRONG" in text
    assert "2" * 16 in text


def test_a_machine_that_failed_is_shown() -> None:
    failed = Row(LOOP, {}, {"bochs": "bochs: still running"})
    assert not failed.agreed
    assert "bochs: still running" in "\n".join(report.table([failed]))


def test_table_holds_every_program_and_the_means() -> None:
    lines = list(report.table([row(LOOP, 0.1, 1.0), row(OTHER_LOOP, 0.1, 0.4), row(BULK, 1, 1)]))
    assert lines[0].split()[:4] == ["program", "unit", "insns/iter", "pykern"]
    assert lines[2].split()[:3] == ["one", "MIPS", "5000000"]
    assert lines[4].split()[:2] == ["geometric", "mean"]
    assert "6.32" in lines[4]  # the square root of 10 times 4
    assert lines[-1].endswith("NOT REACHED")


def test_json_survives_a_round_trip() -> None:
    data = report.as_json([row(SYSTEM, 0.1, 1.0)], {"bochs": "Bochs 2.7"})
    loaded = json.loads(json.dumps(data))
    assert loaded["programs"][0]["ratios"]["bochs"] == pytest.approx(10.0)
    assert loaded["programs"][0]["machines"]["pykern"]["events_per_second"] == pytest.approx(1e5)
    assert loaded["groups"]["system"]["ratios"]["qemu"] is None
