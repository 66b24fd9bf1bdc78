"""Runs of three profiles, and the files that they leave."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest

from pykern.kernel.run_metrics import run_metrics
from pykern.kernel.timeline import Timeline
from pykern.report.data import files
from tests import booting

COMMANDS = b"ipcping\nspin & spin & spin & spin & spin & wait\nls /bin | wc\npoweroff\n"
OPTIONS = {
    "microkernel": {"page_trace": True},
    "rmp": {"cpus": 4, "numa": 2},
    "pykern": {"cpus": 4, "numa": 2, "memory": 128 << 20, "typed": COMMANDS},
}


@dataclass
class Ran:
    """A run, and the bytes of its files by the option that asks for them."""

    booted: booting.Booted
    files: dict[str, bytes]

    def read(self, option):
        return files.read(f"{option}.json", self.files[option])


def _run(name):
    out = io.StringIO()
    booted = booting.boot(
        booting.image(name), timeline=lambda machine: Timeline(machine, out), **OPTIONS[name]
    )
    booted.timeline.close()
    left = {"timeline": out.getvalue(), "metrics": run_metrics(booted.kernel)}
    if booted.pages is not None:
        left["page_trace"] = booted.pages.json()
    return Ran(booted, {option: text.encode() for option, text in left.items()})


@pytest.fixture(scope="session")
def microkernel():
    return _run("microkernel")


@pytest.fixture(scope="session")
def rmp():
    return _run("rmp")


@pytest.fixture(scope="session")
def pykern():
    return _run("pykern")
