"""The HTML page: all in one file, and nothing of a run is taken for markup."""

import base64
import re
from html.parser import HTMLParser

from pykern.report.page import page
from pykern.report.pictures import Section

SECTIONS = [
    Section("schedule", "Schedule: <b>.json", b"\x89PNG", ("task", "time"), (("<i>&", 1234),)),
    Section("counters", "Counters", b"", ("what",), (("x",),)),
]


class Reader(HTMLParser):
    """Collects what is opened and closed, and where things are to be fetched from."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in {"src", "href"}]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_it_is_well_formed_and_needs_nothing_beside_it():
    reader = Reader()
    reader.feed(page(SECTIONS))
    assert reader.open == []
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in reader.sources)
    assert "Schedule: <b>.json" in reader.text
    assert "<i>&" in reader.text
    assert "1,234" in reader.text


def test_it_has_the_picture():
    (data,) = re.findall(r"base64,([^\"]+)", page(SECTIONS))
    assert base64.b64decode(data) == b"\x89PNG"


def test_links_lead_to_sections():
    text = page(SECTIONS)
    for target in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{target}"' in text
    assert text == page(SECTIONS)
