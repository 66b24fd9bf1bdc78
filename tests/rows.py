"""Which row of the five feature lists which tests show: `python -m tests.rows`.

A docstring of a test, or of its file, names the rows that it shows; so the table is never older
than the tests. A row that is left for later says so here.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = {"MEL": 57, "SCA": 28, "MIC": 18, "RMP": 15, "MYR": 26}
"""Feature list → number of its last row."""
LATER = {
    "MEL-52": "network: a later issue",
    "MYR-23": "processes, signals and files are there; loading over a network: a later issue",
    "MYR-24": "NVMe, SATA, Ethernet: a later issue",
}
"""Row that has no test yet → why."""
OUTSIDE = {
    "MEL-57": "pip install is all that is needed; continuous integration does just that",
    "SCA-28": "the size of the original; nothing to show",
    "MYR-26": "the platform's packages: wheels of continuous integration",
}
"""Row that no test in here can show → why."""
PARTLY = {"MYR-25": "several nodes, load balancing and virtual IP addresses: a later issue"}
"""Row of which something is tested → what is not there."""
_ROW = re.compile(r"\b(MEL|SCA|MIC|RMP|MYR)-(\d\d)(?: to \1-(\d\d))?")


def rows_in(text: str) -> set[str]:
    """Return the rows that a text names, ranges spelled out."""
    return {
        f"{kernel}-{number:02}"
        for kernel, first, last in _ROW.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def tests_by_row() -> dict[str, list[str]]:
    """Return row → tests that name it, as pytest spells them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Module):
                name, text = where, ast.get_docstring(node) or ""
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                name, text = f"{where}::{node.name}", ast.get_docstring(node) or ""
            else:
                continue
            for row in rows_in(text):
                found[row].append(name)
    return found


def all_rows() -> list[str]:
    """Return every row there is."""
    return [f"{kernel}-{n:02}" for kernel, last in ROWS.items() for n in range(1, last + 1)]


def table() -> str:
    """Return a line for each row: its state, and how many tests show it, with the first of them."""
    tests, lines = tests_by_row(), ["| row | state | shown by |", "| --- | --- | --- |"]
    for row in all_rows():
        shown = tests.get(row, [])
        reasons = {"later": LATER, "outside": OUTSIDE}
        without = next((state for state, rows in reasons.items() if row in rows), "open")
        state = f"partly; {PARTLY[row]}" if row in PARTLY else "tested" if shown else without
        more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
        said = f"{shown[0]}{more}" if shown else (LATER | OUTSIDE).get(row, "")
        lines.append(f"| {row} | {state} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
