"""`pykern image`: what the verbs print, write and return."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from tests.images.conftest import write_inputs

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("image")
    write_inputs(path)
    return path


@pytest.fixture(scope="module")
def iso(folder):
    target = folder / "small.iso"
    programs = [f"--program={name}={folder / name}" for name in ("init", "sh")]
    assert main(["image", "build", str(folder / "small.toml"), "-o", str(target), *programs]) == 0
    return target


def test_build_says_what_it_wrote(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    programs = [f"--program={name}={folder / name}" for name in ("init", "sh")]
    assert main(["image", "build", str(folder / "small.toml"), *programs]) == 0
    size = (tmp_path / "small.iso").stat().st_size
    assert capsys.readouterr().out == f"small.iso: {size} bytes, 2 boot entries\n"


def test_ls_lists_names_and_boot_catalog(iso, capsys):
    assert main(["image", "ls", str(iso)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{iso}: volume SMALL, Rock Ridge names"
    assert f"{4352:12} /boot/font.psf" in lines
    assert f"{0:12} /docs/" in lines
    assert lines[-1].startswith("boot: BIOS, emulation none, sector ")
    assert lines[-1].endswith(", 4 x 512 bytes to 0x7c00")


def test_extract_one_file(iso, folder, tmp_path, capsys):
    target = tmp_path / "kernel"
    assert main(["image", "extract", str(iso), "boot/kernel.elf", "-o", str(target)]) == 0
    assert target.read_bytes() == (folder / "kernel.elf").read_bytes()
    assert main(["image", "extract", str(iso), "/boot/font.psf", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "font.psf").stat().st_size == 4352
    assert f"{tmp_path / 'font.psf'}: 4352 bytes" in capsys.readouterr().out


def test_extract_a_directory_and_everything(iso, tmp_path):
    assert main(["image", "extract", str(iso), "/docs", "-o", str(tmp_path / "d")]) == 0
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "A Long Name.with dots.md",
        "A Long Name.with dots.txt",
    ]
    assert main(["image", "extract", str(iso), "-o", str(tmp_path / "all")]) == 0
    assert (tmp_path / "all/boot/limine/limine.conf").exists()


def test_nothing_is_written_through_a_link_of_the_image(tmp_path, capsys):
    """An image whose link and directory have one name writes neither outside of the target."""
    if not shutil.which("xorriso"):
        pytest.skip("xorriso is not installed")
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for path in (tree, outside):
        path.mkdir()
    (tree / "a_link").symlink_to(outside)
    (tree / "b_dir").mkdir()
    (tree / "b_dir" / "file").write_text("x")
    made = tmp_path / "made.iso"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(made), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    made.write_bytes(made.read_bytes().replace(b"a_link", b"a_file").replace(b"b_dir", b"a_fil"))
    main(["image", "extract", str(made), "-o", str(tmp_path / "out")])
    assert list(outside.iterdir()) == []
    capsys.readouterr()


def test_verify(iso, folder, tmp_path, capsys):
    assert main(["image", "verify", str(iso), str(folder / "small.toml")]) == 0
    assert "ok: El Torito boot record" in capsys.readouterr().out
    broken = tmp_path / "broken.iso"
    broken.write_bytes(iso.read_bytes().replace(b"protocol: limine", b"protocol; limine"))
    assert main(["image", "verify", str(broken)]) == ExitStatus.BAD_IMAGE
    assert f"problem: {broken}: /boot/limine/limine.conf, line 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["build", "nope"], ExitStatus.USAGE, "no image 'nope'; there are mellos, microkernel"),
        (["build", "x.toml"], ExitStatus.USAGE, "x.toml: No such file or directory, expected a m"),
        (["build", "pykern", "--kernel=/nope", "--program=a=/nope"], ExitStatus.USAGE, "/nope: No"),
        (["build", "pykern", "--kernel=/nope", "--program=a"], ExitStatus.USAGE, "NAME=FILE"),
        (["verify", "/nope"], ExitStatus.USAGE, "/nope: No such file or directory"),
        (["ls", "/bin/sh"], ExitStatus.BAD_IMAGE, "/bin/sh: offset 0x8000 holds"),
        (["extract", "/bin/sh"], ExitStatus.BAD_IMAGE, "/bin/sh: offset 0x8000 holds"),
    ],
)
def test_errors_are_one_line(arguments, status, message, capsys):
    assert main(["image", *arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith("pykern: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_path_that_is_not_there(iso, capsys):
    assert main(["image", "extract", str(iso), "/nope"]) == ExitStatus.USAGE
    assert capsys.readouterr().err == f"pykern: {iso}: no path /nope\n"


def test_help_names_the_verbs(capsys):
    with pytest.raises(SystemExit):
        main(["image", "--help"])
    text = capsys.readouterr().out
    assert all(verb in text for verb in ("build", "ls", "extract", "verify"))
    assert Path(__file__).exists()
