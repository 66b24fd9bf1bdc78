"""Every row of MelloOS's feature list has a test that names it, and what is no code is there."""

from __future__ import annotations

import re
from pathlib import Path

from pykern import config

ROOT = Path(__file__).parents[1]
ROWS = range(1, 51)
"""MEL-01 to MEL-46 are what it does, MEL-47 to MEL-50 what it plans first."""
_ROW = re.compile(r"MEL-(\d\d)(?: to MEL-(\d\d))?")


def named_rows() -> set[int]:
    """Return the rows that docstrings and comments of the tests name."""
    rows: set[int] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            for first, last in _ROW.findall(path.read_text(encoding="utf-8")):
                rows.update(range(int(first), int(last or first) + 1))
    return rows


def test_every_row_has_a_test():
    not_code = {44, 45, 46}
    assert set(ROWS) - named_rows() - not_code == set()


def test_targets():
    """MEL-44: build, user space, image, run and clean are commands of Python's own tools."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("pip install -e .", "python -m pykern boot", "image build", "tox"):
        assert command in readme


def test_continuous_integration():
    """MEL-45: the tests at each push, a bootable image at each tag."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert ".ci/run" in workflow
    assert "develop" in workflow
    assert "tags" in workflow
    assert "image build" in workflow


def test_presets():
    """MEL-43."""
    assert config.PRESETS == {"single": 1, "debug": 2, "smp2": 2, "smp4": 4}


def test_documents():
    """MEL-46: each is there, and the README leads to it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("architecture", "kernel", "images", "boot", "isa", "style"):
        assert (ROOT / "docs" / f"{name}.md").exists()
        assert f"docs/{name}.md" in readme
    assert (ROOT / "userland" / "README.md").exists()
    assert (ROOT / "CHANGELOG.md").exists()
