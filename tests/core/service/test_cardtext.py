"""A card is foreign text: it is read, never rendered and never run."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import CardSection, CardTable, ModelCard
from pipeline_core.service import cardtext

HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "a | b | c",
    "# heading\n\n- item\n1. one",
    "`code` **bold** _it_ ~~no~~ $x^2$ &lt; :red[x]",
    '" onmouseover="alert(1)',
    "\u202egnp.exe\x00\x1b[31m",
    "https://evil.example www.evil.example",
)
AT = datetime(2025, 3, 3, 14, 5, tzinfo=UTC)


def card(*texts: str) -> ModelCard:
    table = CardTable(header=texts, rows=(texts, tuple(reversed(texts))))
    section = CardSection(title=texts[0], sentences=texts, table=table)
    return ModelCard(model=texts[0], version=1, title=f"Model card: {texts[0]}", sections=(section,), made_at=AT)


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.strip("\n")


def test_the_page_holds_hostile_names_as_text_only() -> None:
    text = cardtext.page(card(*HOSTILE))
    reader = Reader()
    reader.feed(text)
    assert reader.tags == {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert reader.attributes == {"lang", "charset", "http-equiv", "content", "name", "scope"}
    assert reader.cells[0] == "<script>alert(1)</script>"
    assert len(reader.cells) == 3 * len(HOSTILE)
    assert "\u202e" not in text
    assert "\x00" not in text
    assert "default-src 'none'" in text


def test_markdown_keeps_its_shape_whatever_the_names() -> None:
    lines = cardtext.markdown(card(*HOSTILE)).splitlines()
    assert lines[0] == r"# Model card\: \<script\>alert(1)\</script\>"
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    for row in rows:
        bare = row.replace("\\|", "")
        assert bare.count("|") == len(HOSTILE) + 1
    assert sum(line.startswith("- ") for line in lines) == len(HOSTILE)
    assert sum(line.startswith("#") for line in lines) == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("income", "income"),
        ("a_b*c", r"a\_b\*c"),
        ("[a](b)", r"\[a\](b)"),
        ("1. one", r"1\. one"),
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("x\n# y", r"x \# y"),
        ("a|b", r"a\|b"),
        ("back\\slash", r"back\\slash"),
        ("0.5 to 1.5", "0.5 to 1.5"),
    ],
)
def test_markdown_text_is_one_line_that_reads_as_it_is(given: str, shown: str) -> None:
    assert cardtext.markdown_text(given) == shown


def test_the_ending_says_how_it_is_written(tmp_path: Path) -> None:
    made = card("a", "b")
    cardtext.write(made, tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text() == cardtext.markdown(made)
    cardtext.write(made, tmp_path / "card.HTML")
    assert (tmp_path / "card.HTML").read_text() == cardtext.page(made)
    with pytest.raises(InvalidDefinition, match=r"'card.pdf' has no ending that says how to write a card: .md, .html"):
        cardtext.writer(tmp_path / "card.pdf")
    with pytest.raises(InvalidDefinition, match="cannot be written: No such file or directory"):
        cardtext.write(made, tmp_path / "nowhere" / "card.md")
