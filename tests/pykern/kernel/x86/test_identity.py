"""Who the processors are: as CPUID says, on this machine and on others."""

from __future__ import annotations

import pytest

from images import prebuilt
from pykern.kernel.x86.identity import Identity, decode
from tests import booting

INTEL = (0x756E6547, 0x49656E69, 0x6C65746E)
AMD = (0x68747541, 0x69746E65, 0x444D4163)


@pytest.mark.parametrize(
    ("vendor", "signature", "wanted"),
    [
        (INTEL, 0x000306C3, Identity("GenuineIntel", 6, 60, 3)),
        (INTEL, 0x00000F29, Identity("GenuineIntel", 15, 2, 9)),
        (INTEL, 0x00000543, Identity("GenuineIntel", 5, 4, 3)),
        (AMD, 0x00A20F12, Identity("AuthenticAMD", 25, 33, 2)),
    ],
)
def test_signatures_of_known_processors(vendor, signature, wanted):
    assert decode(vendor, signature) == wanted


def test_proc_tells_what_programs_see(system):
    """The same numbers in /proc/cpuinfo; and the environment in /proc/PID/environ."""
    booting.packaged()
    made = system(
        files={"/bin/sleep": prebuilt.programs()["sleep"].read_bytes()},
        command_line="init=/bin/sleep -- 100",
        timeout_ns=200_000_000,
    ).run()
    assert made.kernel.identity == Identity("GenuineIntel", 6, 60, 3)
    proc = made.kernel.vfs.proc
    cpuinfo = proc.entries["cpuinfo"].generate()
    assert "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 60\n" in cpuinfo
    assert b"HOME=/root\0" in proc.processes.get(1).environ()
