"""Every row of the feature lists has a test that names it, and what is no code is there."""

from __future__ import annotations

import re
from pathlib import Path

from pykern import config
from pykern.kernel.profiles import PROFILES
from tests import rows

ROOT = Path(__file__).parents[1]


def test_every_row_has_a_state():
    """No row is open: it has a test, or a reason why not."""
    tests = rows.tests_by_row()
    assert [
        row for row in rows.all_rows() if rows.state_of(row, tests.get(row, [])) == "open"
    ] == []


def test_the_page_of_rows_is_that_of_the_tests():
    """Where several tests show a row, the page may name any of them: a new one changes nothing."""
    told = (ROOT / "docs" / "rows.md").read_text(encoding="utf-8").splitlines()
    made, tests = rows.page().splitlines(), rows.tests_by_row()
    how = "python -m tests.rows > docs/rows.md"
    assert [_but_the_test(line) for line in told] == [_but_the_test(line) for line in made], how
    for line in told:
        if re.match(r"\| [A-Z]{3}-\d\d ", line) and "`" in line:
            assert f"tests/{line.split('`')[1]}" in tests[line[2:8]], how


def _but_the_test(line: str) -> str:
    return re.sub(r"`[^`]*` \|$", "", line)


def test_only_rows_there_are_have_tests_and_reasons():
    named = {*rows.tests_by_row(), *rows.LATER, *rows.OUTSIDE, *rows.PARTLY}
    assert named - set(rows.all_rows()) == set()
    assert set(rows.PARTLY) <= set(rows.tests_by_row())


def test_a_row_that_is_tested_is_not_left_for_later():
    assert (set(rows.LATER) | set(rows.OUTSIDE)) & set(rows.tests_by_row()) == set()


def test_rows_are_found_in_words():
    assert rows.rows_in("SCA-01, SCA-03 to SCA-05; MYR-20") == {
        *("SCA-01", "SCA-03", "SCA-04", "SCA-05", "MYR-20"),
    }


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
    for name in ("architecture", "kernel", "profiles", "images", "boot", "isa", "style"):
        assert (ROOT / "docs" / f"{name}.md").exists()
        assert f"docs/{name}.md" in readme
    assert (ROOT / "userland" / "README.md").exists()
    assert (ROOT / "CHANGELOG.md").exists()


def test_links_lead_somewhere():
    """MEL-46: from document to document, and to headings in them."""
    broken = []
    for source in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "userland/README.md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", source.read_text(encoding="utf-8")):
            path, _, heading = link.partition("#")
            target = source.parent / path if path else source
            if "://" not in link and not (target.exists() and _has_heading(target, heading)):
                broken.append(f"{source.relative_to(ROOT)}: {link}")
    assert broken == []


def _has_heading(document: Path, anchor: str) -> bool:
    """Tell whether a document has a heading that GitHub gives this anchor."""
    if not anchor:
        return True
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_profile_is_described():
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert [name for name in PROFILES.names() if f"## {name}" not in text] == []
