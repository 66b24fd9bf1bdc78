"""Which image is meant by the command line."""

from __future__ import annotations

import pytest

from pykern.cli import arguments
from pykern.cli.boot_image import read_image
from pykern.cli.errors import UsageError
from pykern.machine.boot import BootError, BootModule

SECTOR = bytes(510) + b"\x55\xaa"


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sector").write_bytes(SECTOR)
    (tmp_path / "module").write_bytes(b"data")

    def run(line: str):
        return read_image(arguments.parse(["boot", *line.split("|")]))

    return run


def test_the_protocol_comes_from_the_file(read):
    image = read("sector")
    assert (image.data, image.protocol.name, image.resolution) == (SECTOR, "bootsector", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sector|--kernel|sector", "given are 2"),
        ("sector|--firmware|module", "--firmware module is an image of its own; sector is another"),
        ("sector|--protocol|foo", "no boot protocol foo; there are iso, linux, limine"),
        ("--kernel|sector|--firmware|bios", "--firmware bios starts what a medium's boot record"),
    ],
)
def test_bad_usage(read, line, message):
    with pytest.raises(UsageError) as caught:
        read(line)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(read):
    with pytest.raises(BootError, match="nothing: No such file or directory"):
        read("nothing")


def test_an_iso_is_insisted_on(read):
    with pytest.raises(BootError, match="offset 0x8000 holds nothing"):
        read("--cdrom|sector")


def test_modules_with_arguments(read):
    image = read("sector|--initrd|module one two|--initrd|module")
    assert image.options.modules == (
        BootModule("module", b"data", "one two"),
        BootModule("module", b"data"),
    )


def test_a_guest_reads_files_beside_its_kernel_only(read, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "kernel").write_bytes(SECTOR)
    (tmp_path / "inner" / "link").symlink_to(tmp_path / "module")
    (tmp_path / "inner" / "beside").write_bytes(b"beside")
    read_file = read("inner/kernel").options.read_file
    assert read_file("/beside") == b"beside"
    assert read_file("/nothing") is None
    for path in ("/../module", "../module", "/link", "/"):
        assert read_file(path) is None
