"""The references of programs, as the machine sees them; recording them changes nothing."""

import json
from types import SimpleNamespace

from pykern.kernel.page_trace import PageTrace


class Hooked:
    """A machine that lets a test make accesses."""

    def add_hook(self, callback, **options):
        self.accessed, self.options = callback, options


def recorder(most=100):
    space = object()
    process = SimpleNamespace(pid=3, name="a", space=space)
    cpus = [SimpleNamespace(current=SimpleNamespace(process=process))]
    machine, kernel = Hooked(), SimpleNamespace(cpus=cpus)
    return machine, process, PageTrace(machine, lambda: kernel, most)


def access(machine, laddr, size=8, index=0):
    machine.accessed(SimpleNamespace(index=index), laddr, size, False)


def test_references_in_order_without_repetitions():
    machine, process, trace = recorder()
    for laddr in (0x5000, 0x5FF8, 0x6000, 0x5000, 0x5FFC):
        access(machine, laddr)
    process.space, process.name = object(), "b"
    access(machine, 0x5000)
    found = json.loads(trace.json())
    assert found["page_trace"] == [
        {"pid": 3, "name": "a", "pages": [5, 6, 5, 6]},
        {"pid": 3, "name": "b", "pages": [5]},
    ]
    assert found["complete"] is True
    assert machine.options["cpl"] == (3,)


def test_what_no_process_does_is_left_out():
    machine, process, trace = recorder()
    access(machine, 0x5000, index=1)
    process.space = None
    assert json.loads(trace.json())["page_trace"] == []


def test_it_ends_when_there_are_too_many():
    machine, _, trace = recorder(most=2)
    for page in range(5):
        access(machine, page << 12)
    found = json.loads(trace.json())
    assert (found["page_trace"][0]["pages"], found["complete"]) == ([0, 1], False)
