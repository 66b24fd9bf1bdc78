"""The table against the header of the host's own kernel."""

import re
from pathlib import Path

import pytest

from pykern.kernel.abi.linux_x86_64 import CALLS

HEADERS = [Path("/usr/include", place, "asm/unistd_64.h") for place in ("x86_64-linux-gnu", "")]


def test_every_number_is_the_one_of_the_host():
    header = next(filter(Path.exists, HEADERS), None)
    if header is None:
        pytest.skip("no asm/unistd_64.h on this host")
    pairs = re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text(encoding="utf-8"))
    host = {name: int(number) for name, number in pairs}
    known = [call for call in CALLS if call.number <= max(host.values())]  # it may be an old one
    assert len(known) > 200
    wrong = {call.name: call.number for call in known if host.get(call.name) != call.number}
    assert wrong == {}


def test_the_table_covers_what_a_static_program_needs():
    names = {call.name for call in CALLS}
    assert len(names) > 120
    assert {"set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom"} <= names


def test_rows_stand_in_order():
    numbers = [call.number for call in CALLS]
    assert numbers == sorted(numbers)
