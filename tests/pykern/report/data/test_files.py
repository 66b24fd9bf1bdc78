"""Files tell by their content what they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.report.data.checking import ReportError
from pykern.report.data.files import Metrics, PageTrace, Program, read
from tests import booting
from tests.pykern.report.data.test_checking import JSON

METRICS = {
    "profile": "rmp",
    "cpus": [{"busy_ns": 5, "idle_ns": 7}],
    "syscall_count": {"read": 3},
    "numa": {"nodes": [0, 1], "distances": [[10, 20], [20, 10]], "frames": [[4, 1], [0, 2]]},
}
PAGES = {
    "page_size": 4096,
    "complete": True,
    "page_trace": [{"pid": 3, "name": "a", "pages": [1, 2]}],
}


def encoded(value):
    return json.dumps(value).encode()


def test_metrics():
    found = read("m", encoded(METRICS))
    assert found == Metrics(
        "m", "rmp", ((5, 7),), {"read": 3}, (0, 1), ((10, 20), (20, 10)), ((4, 1), (0, 2))
    )


def test_page_trace():
    assert read("p", encoded(PAGES)) == PageTrace("p", (Program(3, "a", (1, 2)),), True)


@given(JSON)
def test_any_json_is_understood_or_refused(value):
    with pytest.raises(ReportError, match=r"^run: "):
        read("run", encoded(value))


@given(st.sampled_from([METRICS, PAGES]), st.data())
def test_hostile_members_are_refused_or_harmless(file, data):
    key = data.draw(st.sampled_from(sorted(file)))
    said = "run"
    try:
        read("run", encoded({**file, key: data.draw(JSON)}))
    except ReportError as error:
        said = str(error)
    assert said.startswith("run")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({**METRICS, "cpus": [{}]}, r"'cpus'\[0\]: no 'busy_ns'"),
        ({**METRICS, "numa": {**METRICS["numa"], "frames": [[1]]}}, "expected a list of 2"),
        ({**PAGES, "page_trace": [{"pid": 1, "name": "a", "pages": [-1]}]}, "'pages': -1"),
        ({"a": 1}, "neither timeline, metrics nor page trace"),
    ],
)
def test_what_is_wrong_is_told(file, said):
    with pytest.raises(ReportError, match=said):
        read("run", encoded(file))


@pytest.mark.slow
def test_leaving_files_changes_nothing(microkernel):
    """MIC-05: also with the random policy the same pages go; it is the same run to the ns."""
    plain, watched = booting.boot(booting.image("microkernel")), microkernel.booted
    assert plain.serial == watched.serial
    assert plain.computer.machine.now == watched.computer.machine.now
    assert plain.kernel.metrics.as_dict() == watched.kernel.metrics.as_dict()
