from html.parser import HTMLParser

import numpy as np
import pytest

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.report.html import render_page, write_page
from sscl_geo.report.page import Gallery, Image, Legend, Link, Links, Page, Section, Table, Text

EVIL = "<script>alert(1)</script>\"'&"


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def page():
    classes = ClassTable((LandCoverClass(1, EVIL, (1, 2, 3)),))
    picture = Image.of_picture(np.zeros((2, 3, 4), np.uint8), EVIL)
    blocks = [
        Text(EVIL),
        Text(EVIL, note=True),
        Table([EVIL, "n"], [[EVIL, EVIL]], caption=EVIL, colors=["#010203"]),
        Legend(classes),
        Gallery([picture, Image(b"<svg/>", EVIL, dark=b"<svg id='dark'/>")]),
        Links([Link("a b/<x>.tif", EVIL), Link("javascript:alert(1)", "")]),
    ]
    return Page(EVIL, EVIL, [Section(EVIL, blocks)], [EVIL])


def test_everything_from_outside_is_escaped(page):
    html = render_page(page)
    elements = Elements(html)
    assert "script" not in {tag for tag, _ in elements.tags}
    assert elements.text.count(EVIL) == 15
    assert elements.open == []


def test_the_page_needs_nothing_but_itself(page):
    for tag, attributes in Elements(render_page(page)).tags:
        for name in ("src", "srcset"):
            if name in attributes:
                assert attributes[name].startswith("data:image/"), tag
        assert tag not in {"link", "iframe", "object"}
        assert not any(name.startswith("on") for name in attributes)


def test_links_are_relative_paths_and_nothing_else(page):
    links = [a["href"] for tag, a in Elements(render_page(page)).tags if tag == "a"]
    assert links == ["a%20b/%3Cx%3E.tif", "javascript%3Aalert%281%29"]


def test_a_dark_page_gets_the_dark_chart(page):
    sources = [a for tag, a in Elements(render_page(page)).tags if tag == "source"]
    assert [a["media"] for a in sources] == ["(prefers-color-scheme: dark)"]


def test_pictures_say_what_they_show(page):
    images = [a for tag, a in Elements(render_page(page)).tags if tag == "img"]
    assert [a["alt"] for a in images] == [EVIL, EVIL]


def test_numbers_are_aligned_and_rows_have_headers():
    table = Table(["class", "IoU"], [["water", "0.91"]], rules=frozenset({0}))
    html = render_page(Page("t", "l", [Section("s", [table])]))
    assert '<tr class="rule"><th scope="row">water</th><td class="number">0.91</td></tr>' in html


def test_the_page_is_written_whole(page, tmp_path):
    path = write_page(page, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == render_page(page)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_table_without_titles_has_no_head():
    html = render_page(Page("t", "l", [Section("s", [Table(["", ""], [["bands", "red"]])])]))
    assert "<thead>" not in html
