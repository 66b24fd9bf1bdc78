"""`pykern report`: pictures of a run, from the files that `pykern boot` has left."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from pykern.cli.errors import UsageError
from pykern.exit_status import ExitStatus
from pykern.report.data import files
from pykern.report.data.checking import ReportError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from pykern.report.pictures import Section

_INSTALL = (
    "pykern report draws with matplotlib, which is not installed: pip install 'pykern[report]'"
)


def run(args: argparse.Namespace) -> int:
    """Read the files, write the report, say where it is."""
    sections = _sections(args.files)
    if not sections:
        raise UsageError("nothing to draw: no program of these uses pages more than once")
    for path in _write(args.output, sections):
        print(path)
    return ExitStatus.POWER_OFF


def _sections(paths: Sequence[Path]) -> list[Section]:
    try:
        # Nobody else needs matplotlib, which also takes longer to import than all of pykern.
        from pykern.report import pictures
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError(_INSTALL) from None
    try:
        return pictures.sections([files.read(path.name, path.read_bytes()) for path in paths])
    except ReportError as error:
        raise UsageError(str(error)) from None


def _write(output: Path, sections: Sequence[Section]) -> list[Path]:
    """Write one file, or a folder with all; return which files."""
    from pykern.report.page import page

    if output.suffix == ".html":
        output.write_text(page(sections), encoding="utf-8")
        return [output]
    pictures = [section for section in sections if section.png]
    if output.suffix == ".png":
        if not pictures:
            raise UsageError("there is nothing to draw in these files")
        output.write_bytes(_stacked([section.png for section in pictures]))
        return [output]
    if output.suffix and not output.is_dir():
        raise UsageError(f"-o {output}: expected FILE.html, FILE.png or a folder")
    output.mkdir(parents=True, exist_ok=True)
    written = [output / "index.html"]
    written[0].write_text(page(sections), encoding="utf-8")
    numbers: Counter[str] = Counter()
    for section in pictures:
        numbers[section.kind] += 1
        number = numbers[section.kind]
        name = section.kind if number == 1 else f"{section.kind}-{number}"
        written.append(output / f"{name}.png")
        written[-1].write_bytes(section.png)
    return written


def _stacked(pngs: Sequence[bytes]) -> bytes:
    """Return one picture with all of them below each other."""
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in pngs]
    size = max(image.width for image in images), sum(image.height for image in images)
    whole = Image.new("RGB", size, "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    out = io.BytesIO()
    whole.save(out, format="PNG")
    return out.getvalue()
