"""Where kernel, programs and loader come from when the command line does not say."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path

import pytest

from images import manifest, prebuilt
from images.boot import loader
from images.errors import ImageError
from pykern.cli import image_inputs
from pykern.cli.errors import UsageError

PYKERN = manifest.load(manifest.find("pykern"))


def test_a_kernel_beside_the_manifest_comes_before_the_built_one(tmp_path):
    own = dataclasses.replace(PYKERN, file=str(tmp_path / "m.toml"))
    (tmp_path / "pykern.elf").write_bytes(b"")
    assert image_inputs.find_kernel(None, own, tmp_path) == tmp_path / "pykern.elf"
    assert image_inputs.find_kernel(Path("given"), own, tmp_path) == Path("given")


def test_a_kernel_of_another_name_is_not_built(tmp_path):
    own = dataclasses.replace(PYKERN, file=str(tmp_path / "m.toml"), kernel="other.elf")
    assert image_inputs.find_kernel(None, own, tmp_path) == tmp_path / "other.elf"


def test_programs_of_the_command_line(tmp_path):
    found = image_inputs.find_programs(["init=/a", "sh=b=c"], PYKERN, tmp_path)
    assert found == {"init": Path("/a"), "sh": Path("b=c")}
    for wrong in ("init", "=x", "init=", "a/b=c"):
        with pytest.raises(UsageError, match=f"--program '{wrong}', expected NAME=FILE"):
            image_inputs.find_programs([wrong], PYKERN, tmp_path)


def test_programs_that_nobody_wants(tmp_path):
    assert image_inputs.find_programs([], dataclasses.replace(PYKERN, initrd=None), tmp_path) == {}


@pytest.fixture
def _nothing_prebuilt(monkeypatch):
    monkeypatch.setattr(prebuilt, "programs", dict)


@pytest.mark.usefixtures("_nothing_prebuilt")
def test_programs_of_userland(tmp_path, monkeypatch):
    fake = types.ModuleType("userland.build")
    fake.build = lambda folder: {"init": folder / "init"}
    fake.BuildError = RuntimeError
    monkeypatch.setitem(sys.modules, "userland", types.ModuleType("userland"))
    monkeypatch.setitem(sys.modules, "userland.build", fake)
    found = image_inputs.find_programs([], PYKERN, tmp_path)
    assert found == {"init": tmp_path / "userland" / "init"}


def test_programs_that_came_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(prebuilt, "programs", lambda: {"sh": Path("there")})
    assert image_inputs.find_programs([], PYKERN, tmp_path) == {"sh": Path("there")}


@pytest.mark.usefixtures("_nothing_prebuilt")
def test_no_userland(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "userland.build", None)
    with pytest.raises(ImageError, match="give the programs as --program NAME=FILE"):
        image_inputs.find_programs([], PYKERN, tmp_path)


def test_the_loader(tmp_path, monkeypatch):
    given = tmp_path / "loader"
    given.write_bytes(b"own")
    assert image_inputs.find_loader(given) == b"own"
    monkeypatch.setattr(loader, "PREBUILT", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="no C compiler"):
        image_inputs.find_loader(None)
