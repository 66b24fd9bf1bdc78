"""Find the requests of the Limine boot protocol in a loaded executable.

References
----------
The Limine Boot Protocol: Base protocol revisions, Features, Requests Delimiters, Limine Requests
Section.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pykern.machine.boot import limine_structs as ls
from pykern.machine.boot.elf_file import Elf64_Ehdr, Elf64_Shdr
from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from construct import Container, Struct
    from numpy.typing import NDArray

    from pykern.machine.boot.limine_image import LoadedImage

MAX_BASE_REVISION = 3
_FIRST_REVISION_WITHOUT_SECTION = 1
_WORD = 8
_SECTION = b".limine_reqs"

FeatureId = tuple[int, int]


@dataclass(frozen=True)
class Request:
    """One request within the loaded image.

    Parameters
    ----------
    id : the part that tells features apart
    offset : bytes from the start of the image
    revision : of the request
    """

    id: FeatureId
    offset: int
    revision: int


@dataclass(frozen=True)
class Requests:
    """Everything the executable asks for.

    Parameters
    ----------
    image : the loaded executable, whose bytes hold the requests
    base_revision : the revision it is served by
    tag : offset of the base revision tag; None: there is none
    found : the requests by their id
    """

    image: LoadedImage
    base_revision: int
    tag: int | None
    found: dict[FeatureId, Request]

    def fields(self, feature: FeatureId, layout: Struct) -> Container | None:
        """Return what a request adds to the fields all have; None if it is not there."""
        request = self.found.get(feature)
        if request is None:
            return None
        start = request.offset + ls.request.sizeof()
        where = f"request {feature[0]:#x} at {self.image.vbase + request.offset:#x}"
        return layout.parse(self.image.bytes_at(start, layout.sizeof(), where))

    def revision(self, feature: FeatureId) -> int:
        """Return the revision of a request that is there."""
        return self.found[feature].revision

    def accept_base_revision(self) -> None:
        """Tell the executable by which base revision it is served."""
        if self.tag is None:
            return
        words = self.image.words()
        at = self.tag // _WORD
        asked = int(words[at + 2])
        words[at + 1] = self.base_revision
        if asked <= MAX_BASE_REVISION:
            words[at + 2] = 0

    def answer(self, feature: FeatureId, response: int) -> None:
        """Write the address of a response into its request."""
        offset = self.found[feature].offset + ls.request.sizeof() - _WORD
        self.image.data[offset : offset + _WORD] = response.to_bytes(_WORD, "little")


def find(image: LoadedImage, elf: bytes) -> Requests:
    """Find all requests of a loaded executable.

    Parameters
    ----------
    image : the executable as it is going to lie in memory
    elf : its file, which may have a section that lists the requests

    Raises
    ------
    BootError : two requests or base revision tags are the same, or a request is cut off
    """
    words = image.words()
    first, last = _delimited(words)
    tags = [at for at in _occurrences(words, ls.BASE_REVISION_MAGIC) if first <= at < last]
    if len(tags) > 1:
        places = ", ".join(f"{image.vbase + at * _WORD:#x}" for at in tags)
        raise BootError(f"{image.name}: base revision tags at {places}, expected at most one")
    if tags and tags[0] + 2 >= len(words):
        raise BootError(
            f"{image.name}: the base revision tag at {image.vbase + tags[0] * _WORD:#x} is cut off "
            "by the end of the image"
        )
    asked = int(words[tags[0] + 2]) if tags else 0
    revision = min(asked, MAX_BASE_REVISION)
    listed = None
    if revision < _FIRST_REVISION_WITHOUT_SECTION:
        listed = _listed(image, elf)
    if listed is None:
        listed = [at for at in _occurrences(words, ls.COMMON_MAGIC) if first <= at < last]
    found: dict[FeatureId, Request] = {}
    for at in listed:
        request = _request(image, words, at)
        if request.id in found:
            raise BootError(
                f"{image.name}: the request {request.id[0]:#x}, {request.id[1]:#x} is at "
                f"{image.vbase + found[request.id].offset:#x} and again at "
                f"{image.vbase + request.offset:#x}, expected once"
            )
        found[request.id] = request
    return Requests(image, revision, tags[0] * _WORD if tags else None, found)


def _request(image: LoadedImage, words: NDArray[np.uint64], at: int) -> Request:
    size = ls.request.sizeof() // _WORD
    if at + size > len(words):
        raise BootError(
            f"{image.name}: the request at {image.vbase + at * _WORD:#x} is cut off by the end of "
            f"the image at {image.vbase + len(image.data):#x}"
        )
    return Request((int(words[at + 2]), int(words[at + 3])), at * _WORD, int(words[at + 4]))


def _occurrences(words: NDArray[np.uint64], magic: tuple[int, ...]) -> list[int]:
    """Return the word indices at which a sequence of words starts."""
    places = np.flatnonzero(words == magic[0])
    return [at for at in places.tolist() if tuple(words[at : at + len(magic)].tolist()) == magic]


def _delimited(words: NDArray[np.uint64]) -> tuple[int, int]:
    """Return the range from the last start marker to the first end marker, in words."""
    starts = _occurrences(words, ls.REQUESTS_START_MARKER)
    ends = _occurrences(words, ls.REQUESTS_END_MARKER)
    return (starts[-1] if starts else 0), (ends[0] if ends else len(words))


def _listed(image: LoadedImage, elf: bytes) -> list[int] | None:
    """Return the word indices that a `.limine_reqs` section lists; None: there is no section."""
    section = _section(elf, _SECTION)
    if section is None:
        return None
    places = []
    for pointer in np.frombuffer(section[: len(section) // _WORD * _WORD], dtype="<u8").tolist():
        if not pointer:
            break
        offset = pointer + image.slide - image.vbase
        if offset % _WORD or not 0 <= offset < len(image.data):
            raise BootError(
                f"{image.name}: section .limine_reqs lists {pointer:#x}, expected a multiple of 8 "
                f"within {image.vbase:#x}-{image.vbase + len(image.data) - 1:#x}"
            )
        places.append(offset // _WORD)
    return places


def _section(elf: bytes, name: bytes) -> bytes | None:
    """Return the contents of a section; None: there is none, or its headers are damaged."""
    ehdr = Elf64_Ehdr.parse(elf)
    size = Elf64_Shdr.sizeof()
    end = ehdr.e_shoff + ehdr.e_shnum * ehdr.e_shentsize
    if not ehdr.e_shnum or ehdr.e_shentsize < size or end > len(elf):
        return None
    headers = [
        Elf64_Shdr.parse(elf[ehdr.e_shoff + number * ehdr.e_shentsize :][:size])
        for number in range(ehdr.e_shnum)
    ]
    if ehdr.e_shstrndx >= len(headers):
        return None
    names = headers[ehdr.e_shstrndx].sh_offset
    for header in headers:
        if elf[names + header.sh_name :][: len(name) + 1] == name + b"\0":
            return elf[header.sh_offset : header.sh_offset + header.sh_size]
    return None
