"""The loader's C and our Python read the same entry out of the same limine.conf."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from images.boot import loader
from pykern.machine.boot.config_files import BootEntry, ConfigError, parse

GUESTS = Path(__file__).parent / "guests"


@pytest.fixture(scope="module")
def in_c(tmp_path_factory):
    """Return a function that has config.c, compiled for the host, read a text."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("host") / "config"
    sources = [GUESTS / "host_config.c", loader.SOURCE / "config.c"]
    flags = ["-w", "-fno-builtin", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", "-g", *flags, f"-I{loader.SOURCE}", "-o", program, *sources], check=True)

    def read(text: str) -> str:
        done = subprocess.run(
            [program],
            input=text.encode(),
            capture_output=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return read


def as_c_says_it(entry: BootEntry) -> str:
    size = entry.resolution or (0, 0, 0)
    lines = [
        f"name {entry.name}",
        f"path {entry.kernel_path}",
        f"cmdline {entry.command_line}",
        f"resolution {size[0]} {size[1]} {size[2]}",
        *(f"module {module.path} {module.command_line}" for module in entry.modules),
    ]
    return "\n".join(lines) + "\n"


WORDS = st.text(st.sampled_from("ab /:=#+.-_é$"), max_size=12).map(str.strip)
SPACES = st.sampled_from(["", " ", "\t", "    "])
KEYS = st.sampled_from(
    ["path", "kernel_path", "PATH", "cmdline", "kernel_cmdline", "comment", "protocol", "Protocol"]
)
VALUES = {
    "path": st.builds(
        lambda form, word: form + word,
        st.sampled_from(["boot():/", "boot(1):/", "boot:///", "BOOT://1/", "${ROOT}/"]),
        WORDS,
    ),
    "protocol": st.sampled_from(["limine", "LIMINE"]),
}
OPTIONS = KEYS.flatmap(
    lambda key: st.tuples(
        st.just(key), VALUES.get(key.lower().removeprefix("kernel_"), WORDS)
    )
)  # fmt: skip
MODULES = st.tuples(st.just("module_path"), WORDS.map(lambda word: f"boot(1):/{word}"))
STRINGS = st.tuples(st.sampled_from(["module_string", "module_cmdline"]), WORDS)
SIZES = st.tuples(
    st.just("resolution"), st.sampled_from(["800x600", "1024x768x24", "640x480x32"])
)  # fmt: skip
LINES = st.one_of(
    st.builds(
        lambda option, one, two, sign, three: f"{one}{option[0]}{two}{sign}{three}{option[1]}",
        OPTIONS | MODULES | STRINGS | SIZES,
        SPACES,
        SPACES,
        st.sampled_from(":="),
        SPACES,
    ),
    st.sampled_from(["", "# comment", "  # /not a title", "timeout: 3", "${B}=a ${A} b", "${A}="]),
    st.sampled_from(
        ["cmdline: ${A}${B}", "module_string: x ${ARCH}", "comment: ${", "${ROOT}=boot():/r"]
    ),
)
ENTRY = ["protocol: limine", "path: boot():/k"]


@st.composite
def configs(draw) -> str:
    """Titles at depths that follow each other, each with some options."""
    lines, depth = ["${A}=one", "${B}=${A}", "${ROOT}=boot:///root", *draw(st.lists(LINES))], 0
    mark = draw(st.sampled_from("/:"))
    for number in range(draw(st.integers(1, 5))):
        depth = draw(st.integers(1, depth + 1))
        plus = draw(st.sampled_from(["", "+"]))
        lines.append(f"{draw(SPACES)}{mark * depth}{plus}Entry {number}")
        lines += draw(st.permutations([*ENTRY, *draw(st.lists(LINES, max_size=5))]))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f"default_entry: {draw(st.integers(1, 4))}")
    return draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join(lines)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs())
@example("/a\nprotocol: limine\nprotocol: linux\npath: boot():/first\npath: boot():/second\n")
@example("/a\nprotocol: limine\npath: boot():/k#" + "0aF9" * 16 + "\n")
@example("/a\nprotocol: limine\npath: boot():/k#" + "0aF9" * 15 + "\n")
@example("/a\n//+b\n///c\nprotocol: limine\npath: boot():/x\ndefault_entry: 2\n/d\n")
def test_both_read_the_same(in_c, text):
    try:
        entry = parse(text, "c").select()
    except ConfigError:
        assume(False)  # Python is stricter with what stands in other entries
    else:
        assert in_c(text) == as_c_says_it(entry)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(LINES | st.text(max_size=30) | st.sampled_from(["/", "//", "/+", "default_entry:"]))
)
def test_any_text_is_an_entry_or_a_refusal(in_c, lines):
    answer = in_c("\n".join(lines).replace("\0", ""))
    assert answer.startswith(("name ", "fail "))


@pytest.mark.long
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs())
def test_both_read_many_the_same(in_c, text):
    try:
        entry = parse(text, "c").select()
    except ConfigError:
        assume(False)
    else:
        assert in_c(text) == as_c_says_it(entry)
