"""One HTML page with everything in it: opens anywhere, needs nothing beside it."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pykern.report.pictures import Section

__all__ = ["page"]

_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 88rem; padding: 0 1rem;
       color: #222; background: #fff; }
nav a { margin-right: 1.5rem; }
section { margin: 2.5rem 0; }
img { max-width: 100%; height: auto; border: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #e4e4e4; text-align: right; }
th:first-child, td:first-child { text-align: left; }
summary { cursor: pointer; color: #0072b2; }
"""


def page(sections: Sequence[Section], title: str = "pykern: report of a run") -> str:
    """Return the page; the same sections give the same text."""
    return "\n".join(_lines(sections, title)) + "\n"


def _lines(sections: Sequence[Section], title: str) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>\n{_STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    links = (
        f'<a href="#{section.kind}-{number}">{escape(section.title)}</a>'
        for number, section in enumerate(sections, 1)
    )
    yield f"<nav>{''.join(links)}</nav>"
    for number, section in enumerate(sections, 1):
        yield from _section(section, number)
    yield "</body></html>"


def _section(section: Section, number: int) -> Iterator[str]:
    yield f'<section id="{section.kind}-{number}"><h2>{escape(section.title)}</h2>'
    if section.png:
        data = base64.b64encode(section.png).decode("ascii")
        yield f'<img alt="{escape(section.title)}" src="data:image/png;base64,{data}">'
    yield f"<details{'' if section.png else ' open'}><summary>Numbers</summary><table>"
    yield f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in section.head)}</tr>"
    for row in section.rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else escape(cell) for cell in row)
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table></details></section>"
