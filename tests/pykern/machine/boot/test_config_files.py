"""Limine's configuration files of both spellings; what is wrong with them is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.machine.boot.config_files import (
    CONFIG_PATHS,
    BootConfig,
    ConfigError,
    ModulePath,
    Resolution,
    parse,
    read_config,
)

CONF = """
# a comment
TimeOut: 0.5
default_entry: 2
${ROOT}=boot():/boot
${KERNEL}=${ROOT}/pykern.elf

/+Kernels
    comment: not to be booted
//pykern
    Protocol: LIMINE
    path: ${KERNEL}#HASH
    cmdline: a=b: c  ${ARCH}
    module_path: boot():/boot/one
    module_path: boot(1):/boot/two
    module_string: second
    resolution: 800x600
/elsewhere
    protocol: linux
    kernel_path: hdd(1:2):/vmlinuz
/collapsed
//inside
    protocol: multiboot
    kernel_path: boot():/mb
    kernel_cmdline: x
""".replace("HASH", "0a" * 64)

CFG = """
TIMEOUT=no
${ROOT}=boot:///boot
:MelloOS
PROTOCOL=limine
KERNEL_PATH=${ROOT}/kernel.elf
CMDLINE=x=y
MODULE_PATH=boot://1/m
MODULE_CMDLINE=of m
RESOLUTION=1024x768x24
"""


def test_limine_conf():
    config = parse(CONF, "limine.conf")
    entry = config.select()
    assert config.timeout == pytest.approx(0.5)
    assert (entry.name, entry.location) == ("pykern", ("Kernels", "pykern"))
    assert (entry.protocol, entry.kernel_path) == ("limine", "/boot/pykern.elf")
    assert entry.command_line == "a=b: c  x86-64"
    assert entry.modules == (ModulePath("/boot/one", ""), ModulePath("/boot/two", "second"))
    assert entry.resolution == Resolution(800, 600, 32)


def test_limine_cfg():
    """MEL-29: `boot/limine.cfg`."""
    config = parse(CFG.encode(), "limine.cfg")
    entry = config.select("MelloOS")
    assert config.timeout is None
    assert entry == config.default
    assert (entry.kernel_path, entry.command_line) == ("/boot/kernel.elf", "x=y")
    assert entry.modules == (ModulePath("/m", "of m"),)
    assert entry.resolution == Resolution(1024, 768, 24)


def test_entries_are_selected_by_name_path_or_number():
    config = parse(CONF, "c")
    assert config.select("Kernels/pykern") == config.select("pykern") == config.select("1")
    assert config.select("collapsed/inside").protocol == "multiboot1"
    assert config.select("inside").command_line == "x"
    with pytest.raises(ConfigError, match=r"c: no entry 'nope'; there are Kernels/pykern, else"):
        config.select("nope")
    with pytest.raises(ConfigError, match=r"c: no entry '999"):
        config.select("9" * 5000)


@pytest.mark.parametrize(
    ("default", "name"),
    [
        ("1", "pykern"),
        ("2", "pykern"),
        ("3", "elsewhere"),
        ("4", "inside"),
        ("elsewhere", "elsewhere"),
        ("Kernels/pykern", "pykern"),
    ],
)
def test_the_default_entry_counts_lines_of_the_menu(default, name):
    config = parse(CONF.replace("default_entry: 2", f"default_entry: {default}"), "c")
    assert config.default.name == name


def test_the_default_entry_may_have_slashes_in_its_name():
    text = "default_entry: a\\/b\n/x\nprotocol: limine\n/a/b\nprotocol: limine\npath: boot():/k\n"
    assert parse(text, "c").select().kernel_path == "/k"


def test_one_bad_entry_does_not_spoil_the_others():
    config = parse(CONF, "c")
    with pytest.raises(ConfigError, match=r"c: entry 'elsewhere': line \d+: path is 'hdd\("):
        config.select("elsewhere")
    assert config.select("pykern")


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("99999", 9999), ("x", 0), ("1e5", 0)])
def test_timeouts(text, seconds):
    assert parse(f"timeout: {text}\n/e", "c").timeout == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c: no entry, expected at least one line such as /Name"),
        ("nonsense", "c, line 1: 'nonsense', expected a comment"),
        ("\n/", "c, line 2: an entry without a title"),
        ("/a\n///b", "c, line 2: entry 'b' is at depth 3, expected at most 2"),
        ("/a\ncmdline: ${NOPE}", r"c, line 2: macro \$\{NOPE\} is not defined; there are ARCH"),
        ("${A}=${B}\n${B}=${A}\n/a\ncmdline: ${A}", "line 4: macros expand to each other"),
        ("${A}=${A}${A}\n/a\ncmdline: ${A}", "line 3: macros expand to each other"),
        ("default_entry: 3\n/a", "c: default_entry is 3, expected 1 to 1"),
        ("default_entry: 0\n/a", "c: default_entry is 0, expected 1 to 1"),
        ("default_entry: b\n/a", "c: default_entry is 'b'; there are a"),
        ("/a\ncmdline: " + "x" * 4096, "value of cmdline has 4096 characters, at most 4095"),
        ("/a\npath: boot():/x", "entry 'a': no protocol, expected one such as protocol: limine"),
        ("/a\nprotocol: limine", "entry 'a': no path, expected one such as path: boot"),
        ("/a\nprotocol: limine\npath: x", "entry 'a': line 3: path is 'x', expected a path on"),
        ("/a\nprotocol: limine\npath: $boot():/x", "compressed files are not supported"),
        ("/a\nprotocol: limine\npath: boot():/x\nmodule_path: odd(1:):/m", "line 4: module_path"),
        ("/a\nprotocol: limine\npath: boot():/x\nresolution: big", "resolution 'big', expected W"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text, "c").select()


def test_text_that_is_not_utf8():
    with pytest.raises(ConfigError, match="c: byte 0xff at offset 1, expected UTF-8 text"):
        parse(b"/\xff", "c")
    assert parse("\ufeff/a\r\nprotocol: linux\rpath: boot():/b".encode(), "c").select().name == "a"


class _Medium:
    name = "cd.iso"

    def __init__(self, **files: bytes) -> None:
        self.files = {path.replace("_", "/"): data for path, data in files.items()}

    def find(self, path: str) -> object | None:
        return self.files.get(path.removesuffix(".conf").removesuffix(".cfg"))

    def read(self, path: str) -> bytes:
        return self.files[path.removesuffix(".conf").removesuffix(".cfg")]


def test_where_a_medium_has_it():
    medium = _Medium(_limine=CFG.encode(), _boot_limine=CONF.encode())
    assert read_config(medium).select().name == "pykern"
    with pytest.raises(ConfigError, match=f"no boot configuration; looked for {CONFIG_PATHS[0]}"):
        read_config(_Medium())


LINES = st.sampled_from(
    ["/a", "//b", "///c", "/+d", ":e", "/", "#", "timeout: 3", "default_entry: 2", "cmdline: ${A}",
     "protocol: limine", "path: boot():/k", "module_path: boot():/m", "module_string: x", "${A}=b",
     "${A}=${B}", "${B}=${A}", "KERNEL_PATH=boot:///k", "=", ":", "\0", "x: ${", "resolution: 1x"]
)  # fmt: skip


def _parsed(text: bytes | str) -> BootConfig | str:
    """Return a configuration, or the message of a ConfigError."""
    try:
        return parse(text, "c")
    except ConfigError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES | st.text(max_size=20), max_size=20))
def test_any_text_is_a_configuration_or_one_line_of_error(lines):
    config = _parsed("\n".join(lines))
    if isinstance(config, str):
        assert config.startswith("c")
        assert "\n" not in config
        return
    assert config.default in config.entries
    assert all(entry.problems or entry.kernel_path for entry in config.entries)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data):
    config = _parsed(data)
    assert not isinstance(config, str) or "\n" not in config
