"""Images: what is on them, and that the same inputs give the same bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from images import build, iso_writer, manifest
from images.errors import ImageError
from pykern.machine.boot.config_files import ModulePath, Resolution, parse
from pykern.machine.media import IsoImage
from tests.images.conftest import write_inputs
from tests.images.test_cpio import records

ROOT = Path(__file__).parents[2]


def test_contents(inputs, image):
    iso = IsoImage(image)
    small, files = inputs
    assert iso.volume_id == "SMALL"
    assert iso.read("/boot/kernel.elf") == files.kernel.read_bytes()
    assert iso.read("/docs/A Long Name.with dots.txt") == b"on the image itself\n"
    assert iso.read("/docs/A Long Name.with dots.md") == b"# read me\n" * 500
    assert iso.read("/boot/font.psf") == bytes(range(256)) * 17
    assert iso.read("/boot/initrd.cpio") == build.initrd(small.initrd, files.programs, "")


def test_the_configuration_is_what_limine_reads(image):
    """MEL-29: the configuration file of the boot loader."""
    config = parse(IsoImage(image).read(build.CONFIG), "limine.conf")
    entry = config.select()
    assert (config.timeout, entry.name, entry.protocol) == (1, "second", "limine")
    assert (entry.kernel_path, entry.command_line) == ("/boot/kernel.elf", "profile=pykern quiet")
    assert entry.modules == (
        ModulePath("/boot/initrd.cpio", "initrd"),
        ModulePath("/boot/font.psf", "font"),
    )
    assert entry.resolution == Resolution(640, 480, 32)
    assert config.select("first").command_line == "profile=pykern"


BUILD = """
import hashlib, sys
from pathlib import Path
sys.path.append({root!r})
from tests.images.conftest import write_inputs
from tests.images.test_cpio import records
from images import build
print(hashlib.sha256(build.build(*write_inputs(Path({folder!r})))).hexdigest())
"""


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_the_same_bytes_elsewhere_and_in_another_time_zone(image, tmp_path, zone):
    folder = tmp_path / "some" / "other" / zone
    script = BUILD.format(root=str(ROOT), folder=str(folder))
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": "77", "SOURCE_DATE_EPOCH": "1"}
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert found == hashlib.sha256(image).hexdigest()


def test_the_order_of_programs_does_not_matter(inputs, image):
    small, files = inputs
    backward = dict(reversed(files.programs.items()))
    assert build.build(small, dataclasses.replace(files, programs=backward)) == image


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": Path("/nope")}, "kernel is /nope: No such file or directory, expected a file"),
        ({"programs": {}}, "initrd.programs: 'init', expected one of none"),
        ({"programs": {"init": Path("/nope"), "sh": Path("/nope")}}, "programs, init is /nope: No"),
    ],
)
def test_inputs_that_are_missing(inputs, change, message):
    small, files = inputs
    with pytest.raises(ImageError, match=message):
        build.build(small, dataclasses.replace(files, **change))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (manifest.File("/boot", text=""), "/boot cannot be beside /boot/kernel.elf on one image"),
        (manifest.File("/boot/kernel.elf/x", text=""), "x cannot be beside /boot/kernel.elf"),
        (manifest.File("/boot/boot.cat", text=""), "/boot/boot.cat"),
        (manifest.File("/boot/limine/limine.conf", text=""), "cannot be beside /boot/limine"),
        (manifest.File("/l", link="x"), "/l is a link, expected text or source"),
        (manifest.File("/d", directory=True), "/d is a directory, expected text or source"),
        (manifest.File("/l", source=Path("/nope")), "files, /l: source is /nope: No such file"),
    ],
)
def test_paths_that_clash(inputs, file, message):
    small, files = inputs
    with pytest.raises(ImageError, match=message):
        build.build(dataclasses.replace(small, files=(file,)), files)


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio unpacks the archive")
def test_an_empty_directory_of_the_initrd(tmp_path):
    """As the host's cpio unpacks it."""
    wanted = manifest.Initrd(
        "/initrd",
        files=(
            manifest.File("/tmp", directory=True, mode=0o1777),
            manifest.File("/tmp/a", text="a"),
        ),
    )
    data = build.initrd(wanted, {}, "x.toml")
    subprocess.run(["cpio", "-idm", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
    assert (tmp_path / "tmp/a").read_text() == "a"


def test_an_initrd_with_a_path_twice(inputs):
    small, files = inputs
    twice = manifest.File("/bin/init", text="")
    initrd = dataclasses.replace(small.initrd, files=(twice,))
    with pytest.raises(ImageError, match="initrd: /bin/init is there twice"):
        build.build(dataclasses.replace(small, initrd=initrd), files)


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (("*",), {"bin", "bin/init", "bin/sh"}),
        (("s*", "init"), {"bin", "bin/init", "bin/sh"}),
        (("group/*",), {"bin", "bin/group", "bin/group/init"}),
        (("*/init",), {"bin", "bin/group", "bin/group/init"}),
    ],
)
def test_patterns_of_programs(inputs, patterns, paths):
    small, files = inputs
    programs = {**files.programs, "group/init": files.programs["init"]}
    chosen = dataclasses.replace(small.initrd, programs=patterns, files=())
    found = {name for name, *_ in records(build.initrd(chosen, programs, ""), iso_writer.EPOCH)}
    assert found == paths


# --- the standard tools --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iso(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("iso") / "small.iso"
    path.write_bytes(image)
    return path


def run(*command: object) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(
        [str(word) for word in command], capture_output=True, check=True
    ).stdout.decode("latin-1")


@pytest.mark.parametrize("names", ["-R", "-J"])
def test_isoinfo_lists_and_reads_it(iso, image, names):
    listed = set(run("isoinfo", "-f", names, "-i", iso).split("\n")) - {""}
    assert listed == {entry.path for entry in IsoImage(image).entries}
    for entry in IsoImage(image).entries:
        if entry.size:
            found = run("isoinfo", names, "-i", iso, "-x", entry.path)
            assert found.encode("latin-1") == IsoImage(image).read(entry.path)


def test_isoinfo_lists_plain_names_of_level_2(iso):
    names = [line.rsplit("/", 1)[1] for line in run("isoinfo", "-f", "-i", iso).split()]
    assert "KERNEL.ELF;1" in names
    assert "A_LONG_NAME_WITH_DOT.TXT;1" in names
    for name in names:
        stem, _, suffix = name.partition(";")[0].partition(".")
        assert len(stem + suffix) <= 30
        assert (stem + suffix).replace("_", "A").isalnum()
        assert name == name.upper()


def test_isoinfo_sees_descriptors_and_boot_catalog(iso, image):
    text = run("isoinfo", "-d", "-i", iso)
    for line in (
        "Volume id: SMALL",
        "Rock Ridge signatures version 1 found",
        "Joliet with UCS level 3 found",
        "Bootid 88 (bootable)",
        "Nsect 4",
        f"Bootoff {IsoImage(image).boot_images[0].sector:X}",
    ):
        assert line in text


def test_xorriso_extracts_the_same_files(iso, image, tmp_path):
    target = tmp_path / "out"
    run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/", target)
    for entry in IsoImage(image).entries:
        path = target / entry.path.lstrip("/")
        assert path.is_dir() if entry.kind.value == "directory" else path.is_file()
        if entry.size and entry.path != "/boot/boot.cat":
            assert path.read_bytes() == IsoImage(image).read(entry.path)
            assert path.stat().st_mtime == 946_684_800


def test_xorriso_sees_the_boot_record(iso):
    """MIC-07, MEL-29: a BIOS entry in the El Torito catalog."""
    text = run("xorriso", "-indev", iso, "-report_el_torito", "plain")
    assert "El Torito img path :   1  /boot/pykern-bios.bin" in text
    assert "El Torito img opts :   1  boot-info-table" in text
    assert "BIOS  y   none  0x0000  0x00      4" in text


def test_inputs_can_be_written_twice(tmp_path):
    assert write_inputs(tmp_path)[0].name == "small"
