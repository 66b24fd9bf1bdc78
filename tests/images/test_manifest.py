"""Manifests: what is read of them, and errors that name file, key, value and expectation."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images import manifest
from images.errors import ImageError

MINIMAL = """
name = "tiny"
profile = "pykern"
kernel = "k.elf"
[[entries]]
name = "Tiny"
"""


def parsed(text: str) -> manifest.Manifest:
    return manifest.parse(tomllib.loads(text), "m.toml", Path("folder"))


def test_defaults():
    tiny = parsed(MINIMAL)
    assert (tiny.volume, tiny.kernel_path, tiny.timeout) == ("TINY", "/boot/k.elf", 0)
    assert tiny.entries == (manifest.Entry("Tiny", "", (), ""),)
    assert tiny.all_modules == ()


def test_everything():
    everything = parsed(
        """
        name = "all"
        volume = "ALL_OF_IT"
        profile = "p"
        kernel = "kernels/k.elf"
        kernel_path = "/k"
        timeout = 3
        default_entry = 2
        initrd = { path = "/i", programs = ["init"], program_directory = "/sbin" }
        files = [{ path = "/a", text = "x" }, { path = "/b", source = "b.txt", mode = 0o600 }]
        modules = [{ name = "font", path = "/font", source = "f.psf", command_line = "8x16" }]
        [[entries]]
        name = "one"
        [[entries]]
        name = "two"
        command_line = "quiet"
        modules = ["initrd", "font"]
        resolution = "800x600x32"
        """
    )
    assert everything.initrd == manifest.Initrd("/i", ("init",), "/sbin")
    assert everything.files == (
        manifest.File("/a", text="x"),
        manifest.File("/b", source=Path("folder/b.txt"), mode=0o600),
    )
    assert [module.name for module in everything.all_modules] == ["initrd", "font"]
    assert everything.entries[1] == manifest.Entry("two", "quiet", ("initrd", "font"), "800x600x32")


@pytest.mark.parametrize("name", manifest.names())
def test_packaged_manifests_are_right(name):
    packaged = manifest.load(manifest.find(name))
    assert packaged.name == name
    assert packaged.kernel == "pykern.elf"


def test_the_default_and_mellos_are_packaged():
    assert {"pykern", "mellos"} <= set(manifest.names())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('profile = "p"', "m.toml: name is missing, expected a name of letters"),
        ('name = "a b"', "m.toml: name = 'a b', expected a name of letters"),
        ("name = 7", "m.toml: name = 7, expected a name of letters"),
        (MINIMAL.replace("[[", "color = 1\n[["), "m.toml: color = 1, expected no such key; there"),
        (MINIMAL.replace("[[", 'volume = "low"\n[['), "m.toml: volume = 'low', expected 1 to 32"),
        (MINIMAL.replace("[[", "timeout = true\n[["), "timeout = True, expected an integer from 0"),
        (MINIMAL.replace("[[", "timeout = -1\n[["), "timeout = -1, expected an integer from 0"),
        (MINIMAL.replace("[[", "default_entry = 2\n[["), "default_entry = 2, expected 1 to 1"),
        (MINIMAL.split("[[", maxsplit=1)[0], r"entries = \[\], expected at least one \[\[entries"),
        (MINIMAL.split("[[", maxsplit=1)[0] + "entries = 1", r"entries = 1, expected tables, each"),
        (MINIMAL + 'modules = ["x"]', r"entries\[0\].modules = 'x', expected one of none"),
        (MINIMAL + "modules = [1]", r"entries\[0\].modules = 1, expected a list of names"),
        (MINIMAL + 'resolution = "1x1"', r"entries\[0\].resolution = '1x1', expected WIDTHxHEIGHT"),
        (MINIMAL + 'command_line = "${A}"', r"command_line = '\${A}', expected one line of text"),
        (MINIMAL + 'command_line = "a\\nb"', r"command_line = 'a\\nb', expected one line of text"),
        (MINIMAL + 'protocol = "linux"', "protocol = 'linux', expected limine"),
        (MINIMAL + '[[files]]\npath = "a"\ntext = ""', r"files\[0\].path = 'a', expected an abso"),
        (MINIMAL + '[[files]]\npath = "/../a"\ntext = ""', r"files\[0\].path = '/../a', expected"),
        (
            MINIMAL + '[[files]]\npath = "/a"',
            "one of text, source, link, directory with it; given: -",
        ),
        (
            MINIMAL + '[[files]]\npath = "/a"\ntext = ""\nsource = "b"',
            "one of text, source, link, directory with it; given: text, source",
        ),
        (
            MINIMAL + '[[files]]\npath = "/a"\ndirectory = false',
            r"files\[0\].directory = False, expected true",
        ),
        (MINIMAL + '[initrd]\npath = "/i"\nx = 1', "initrd.x = 1, expected no such key; there are"),
        (MINIMAL + "[initrd]\nprograms = 1", "initrd.programs = 1, expected a list of program na"),
        (
            MINIMAL + '[initrd]\n[[modules]]\nname = "initrd"\npath = "/x"\nsource = "y"',
            r"modules = \['initrd', 'initrd'\], expected a different name for each",
        ),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ImageError, match=message):
        parsed(text)


def test_files_that_are_no_manifests(tmp_path):
    path = tmp_path / "x.toml"
    with pytest.raises(ImageError, match=r"x.toml: No such file or directory, expected a manifest"):
        manifest.load(path)
    path.write_bytes(b"name = \xff")
    with pytest.raises(ImageError, match=r"x.toml: .*, expected TOML"):
        manifest.load(path)
    path.write_text(f"name = {'9' * 5000}")
    with pytest.raises(ImageError, match=r"x.toml: .*digits.*, expected TOML"):
        manifest.load(path)
    path.write_text("name = ")
    with pytest.raises(ImageError, match=r"x.toml: Invalid value \(at end of document\), expected"):
        manifest.load(path)


def test_names_that_there_are_not():
    with pytest.raises(ImageError, match=r"no image 'nope'; there are .*mellos, .*pykern"):
        manifest.find("nope")
    assert manifest.find("some/where.toml") == Path("some/where.toml")


KEYS = st.sampled_from(
    ["name", "volume", "profile", "kernel", "timeout", "entries", "files", "modules", "initrd",
     "path", "text", "source", "programs", "resolution"]
)  # fmt: skip
VALUES = st.recursive(
    st.text(max_size=8) | st.integers() | st.booleans() | st.sampled_from(["/a", "tiny", "k.elf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_table_is_a_manifest_or_an_error(changes):
    data = {**tomllib.loads(MINIMAL), **changes}
    message = ""
    try:
        manifest.parse(data, "m.toml", Path())
    except ImageError as error:
        message = str(error)
    assert not message or message.startswith("m.toml: ")
