"""The code in which processors wait is what its comments say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pykern.machine.boot import limine_processors
from tests.guest import assemble


@pytest.mark.skipif(shutil.which("as") is None, reason="binutils is not installed")
def test_the_bytes_are_those_of_the_comments():
    lines = Path(limine_processors.__file__).read_text().splitlines()
    start = lines.index("PARK = bytes.fromhex(")
    body = lines[start + 1 : lines.index(")", start)]
    source = [line.split("#", 1)[1].split(";")[0].strip() for line in body]
    text = "\n".join(source)
    text = text.replace("monitor rax, ecx, edx", "monitor").replace("mwait eax, ecx", "mwait")
    assert assemble(text) == limine_processors.PARK
