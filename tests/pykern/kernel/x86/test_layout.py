"""The numbers that real and hosted code share, as the C preprocessor and the assembler see them."""

import re
import subprocess

from pykern.kernel.x86 import layout


def test_the_header_says_the_same_to_the_c_compiler():
    names = re.findall(r"#define (\w+) ", layout.header())
    text = layout.header() + "".join(f"\n= {name} {name}" for name in names)
    source = "\n".join(
        line if not line.startswith("=") else f'"{line.split()[1]}" {line.split()[2]}'
        for line in text.splitlines()
    )
    out = subprocess.run(
        ["gcc", "-E", "-P", "-"], input=source, capture_output=True, text=True, check=True
    ).stdout
    values = {name: int(value, 0) for name, value in re.findall(r'"(\w+)" (\S+)', out)}
    assert values["FRAME_RIP"] == 8 * layout.FRAME_FIELDS.index("rip")
    assert values["PERCPU_WORK"] == layout.PERCPU["work"]
    assert values["MSR_LSTAR"] == 0xC0000082
    assert len(values) == len(names)


def test_per_cpu_data_fill_whole_cache_lines():
    """MEL-07."""
    end = max(layout.PERCPU[name] + size for name, size in layout.PERCPU_FIELDS)
    assert end <= layout.PERCPU_SIZE
    assert layout.PERCPU_SIZE % 64 == 0
    for name, size in layout.PERCPU_FIELDS:
        assert layout.PERCPU[name] % size == 0, f"{name} is not naturally aligned"


def test_selectors_are_in_the_order_of_sysret():
    """SDM Vol. 2B, SYSRET: SS is STAR[63:48] + 8, CS is STAR[63:48] + 16."""
    selectors = layout.SELECTORS
    assert selectors["USER_DS"] == selectors["USER_CS32"] + 8
    assert selectors["USER_CS"] == selectors["USER_CS32"] + 16
    assert selectors["KERNEL_DS"] == selectors["KERNEL_CS"] + 8


def test_what_the_processor_pushes_lies_behind_what_entry_code_pushes():
    assert layout.FRAME_FIELDS[-5:] == ("rip", "cs", "rflags", "rsp", "ss")
    assert layout.FRAME_SIZE % 16 == 0, "a frame at the top of a stack leaves it aligned"


def test_offsets_follow_each_other():
    assert layout.offsets((("a", 8), ("b", 4), ("c", 16))) == {"a": 0, "b": 8, "c": 12}
