"""Trees of any shape become images whose names and contents are read back."""

from __future__ import annotations

import io
import time

import pycdlib
import pycdlib.dates
from hypothesis import given, settings
from hypothesis import strategies as st

from images import iso_writer
from pykern.machine.media import IsoImage

NAMES = st.text(
    st.sampled_from("abcAB019_-+ ,=.äßж✨"), min_size=1, max_size=40
).filter(lambda name: name.strip(". ") == name)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


def is_tree(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(path + "/") for path in files for other in files)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PATHS, st.binary(max_size=5000), max_size=12).filter(is_tree))
def test_any_tree_is_read_back(tree):
    image = IsoImage(iso_writer.write(tree, "ANY"))
    assert {e.path: image.read(e.path) for e in image.entries if e.kind.value == "file"} == tree


def test_names_that_are_alike_in_plain_iso_9660():
    tree = {f"/a long name of many letters {i}.Txt": bytes([i]) for i in range(40)}
    tree |= {"/dir.a/x": b"1", "/dir_a/x": b"2", "/.hidden": b"3", "/no_suffix": b"4"}
    data = iso_writer.write(tree, "ALIKE")
    image = IsoImage(data)
    assert {e.path: image.read(e.path) for e in image.entries if e.kind.value == "file"} == tree


def test_a_directory_of_many_files_and_large_files():
    tree = {f"/d/file {i}": b"%d" % i for i in range(300)} | {"/large": bytes(1_000_001)}
    image = IsoImage(iso_writer.write(tree, "MANY"))
    assert image.read("/d/file 299") == b"299"
    assert len(image.read("/large")) == 1_000_001


def test_the_clock_of_pycdlib_is_put_back():
    iso_writer.write({"/a": b""}, "CLOCK")
    assert pycdlib.pycdlib.time is pycdlib.dates.time is time


def test_every_date_is_the_epoch():
    data = iso_writer.write({"/a": b"x", "/b/c": b"y"}, "DATES")
    assert b"2000010100000000" in data
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(data))
    for record in iso.list_children(iso_path="/"):
        date = record.date
        assert (date.years_since_1900, date.month, date.hour, date.gmtoffset) == (100, 1, 0, 0)
