"""One shell script of many cases, whose output is the same on the host and in the machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGIN, STATUS = "=== ", "--- "
KERNEL_LOG = re.compile(r"^\[[A-Z]+\] .*\n", re.MULTILINE)

_START = """
files=$1
umask 022
export LC_ALL=C HOME=/root
"""

# A pipe for standard output, so that no program sees a terminal; messages of the shell count, too.
_CASE = """
cat >$files/case <<'END-OF-CASE'
{command}
END-OF-CASE
cp -r $files w
cd w
echo "{begin}{number}"
{{
sh ./case 2>&1 </dev/null
echo "{status}$?"
}} | cat
cd ..
rm -r w
"""


def script(commands: Iterable[str]) -> str:
    """Return a script that runs each command in a fresh copy of the folder $1."""
    parts = [_START]
    for number, command in enumerate(commands):
        parts.append(_CASE.format(command=command, begin=BEGIN, number=number, status=STATUS))
    return "".join([*parts, f'echo "{BEGIN}end"\n'])


def results(output: str) -> list[str]:
    """Return what each case printed, its status at the end, without what the kernel logged."""
    return KERNEL_LOG.sub("", output.replace("\r", "")).split(BEGIN)[1:-1]
