"""What is built with the package is what can be built by hand."""

from __future__ import annotations

import shutil

import pytest

from images import manifest, prebuilt
from images.boot import loader
from images.verify import verify
from pykern.cli import main

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def test_nothing_is_there_before_it_is_built(tmp_path):
    assert prebuilt.programs(tmp_path) == {}
    assert not prebuilt.kernel(tmp_path).exists()
    assert not prebuilt.default_image(tmp_path).exists()


@pytest.mark.slow
def test_everything_is_built(tmp_path, monkeypatch):
    folder = tmp_path / "prebuilt"
    prebuilt.build(folder)
    programs = prebuilt.programs(folder)
    assert {"init", "sh", "mellos/init"} <= set(programs)
    image = prebuilt.default_image(folder).read_bytes()
    described = manifest.load(manifest.find(prebuilt.DEFAULT))
    assert verify(image, "default", described).problems == ()
    # An image built from what lies there has the same bytes.
    monkeypatch.setattr(loader, "PREBUILT", folder / "loader.bin")
    target = tmp_path / "pykern.iso"
    given = [f"--program={name}={path}" for name, path in programs.items() if "/" not in name]
    arguments = ["build", "pykern", "-o", str(target), f"--kernel={prebuilt.kernel(folder)}"]
    assert main(["image", *arguments, *given]) == 0
    assert target.read_bytes() == image
