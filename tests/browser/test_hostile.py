"""Hostile names, levels, ids, sources and notes on every page of a real browser: read as they are, never run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import hostile
from tests.browser.conftest import App, open_page, running_app, settled

JOINER = "\N{WORD JOINER}"
PAGES = {
    "overview": (hostile.SCRIPT, hostile.IMAGE),
    "drift": (hostile.FEATURES[15], hostile.FEATURES[5], "# head - item | a | b |"),
    f"drift?feature={quote(hostile.SCRIPT)}": (hostile.SCRIPT, "distribution moved"),
    f"drift?feature={quote(hostile.FEATURES[9])}": ("<b>bold</b><br><a",),
    f"drift?feature={quote(hostile.TOWN)}": (hostile.TOWN, "=1+1", "$a$ :smile:", "long wide <i"),
    "alerts": (hostile.SCRIPT, hostile.BEACON),
    "alerts?show=all": ("What to check",),
    "batches": ("1 is quarantined",),
    "batches?batch=b-0004": (f"Column '{hostile.SCRIPT}'", f"Column '{hostile.IMAGE}'", "<img src=x onerror"),
    "batches?batch=b-0003": ("<img src=x onerror", hostile.LEVELS[0]),
    "sources": ("1 source", "1 failed", "onerror=alert(1)"),
    "sources?source=inbox": ("inbox (folder, only when asked) failed", "onerror=alert(1)"),
    "training": (hostile.SCRIPT, hostile.BEACON, ":smile: :material/bolt: :red[x]"),
    "training?versions=2,1": ("v2, v1 compared", hostile.SCRIPT),
    "challenge": ("v2",),
    "registry": (hostile.BY, hostile.REASON),
    "define": ("A first file teaches",),
}
# what a name could have become: a handler, an address outside, a formula of KaTeX, an image, foreign markup
INTRUDERS = """() => {
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    for (const {name, value} of node.attributes) {
      if (name.startsWith('on')) found.push(`${node.tagName} ${name}=${value}`);
      if (['href', 'src', 'srcset', 'xlink:href', 'action', 'formaction', 'data'].includes(name)) {
        const at = new URL(value, location.href);
        if (at.protocol === 'javascript:' || (at.protocol.startsWith('http') && at.host !== location.host)
            || at.protocol === 'mailto:') found.push(`${node.tagName} ${name}=${value}`);
      }
    }
    if (node.tagName === 'SCRIPT' && node.textContent.includes('alert(1)')) found.push('SCRIPT');
    if (node.classList.contains('katex')) found.push(`formula ${node.textContent}`);
    if (['U', 'I', 'B', 'FRAME', 'IFRAME', 'OBJECT', 'EMBED'].includes(node.tagName)) found.push(node.outerHTML.slice(0, 90));
    // markup that a chart obeyed leaves the words between the tags in a node of their own
    if (node.namespaceURI.endsWith('svg') && !node.children.length && /^(bold|link|name|x)$/.test(node.textContent.trim()))
      found.push(`chart markup ${node.textContent}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app on a home that holds the hostile model."""
    assert browser.is_connected()
    home = tmp_path_factory.mktemp("hostile") / "home"
    hostile.scene(home)
    with running_app(home, demo=False) as running:
        yield running


@dataclass(frozen=True)
class Visit:
    """A page, and what must not happen on it: a dialog, an error, a request to anything but the app."""

    page: Page
    happened: list[str]

    def was_quiet(self) -> None:
        assert self.page.evaluate(INTRUDERS) == []
        assert self.happened == []
        expect(self.page.get_by_test_id("stException")).to_have_count(0)


@pytest.fixture
def visit(browser: Browser, app: App) -> Iterator[Visit]:
    page = open_page(browser, height=2400)
    happened: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith((app.url, "data:", "blob:")):
            happened.append(f"request {request.url}")

    page.on("request", asked)
    page.on("websocket", lambda socket: None if "//127.0.0.1:" in socket.url else happened.append(socket.url))
    page.on("dialog", lambda dialog: (happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda told: happened.append(told.text) if "Content Security Policy" in told.text else None)
    page.on("pageerror", lambda error: happened.append(f"error {error}"))
    yield Visit(page, happened)
    page.context.close()


def visible(page: Page) -> str:
    """Everything that can be read: text, chart labels and the cells of the tables, without invisible joiners."""
    parts = page.evaluate(
        "[document.body.innerText, ...[...document.querySelectorAll('svg text, canvas td, input')]"
        ".map(node => node.value || node.textContent)].join('\\n')"
    )
    return " ".join(str(parts).replace(JOINER, "").split())


@pytest.mark.parametrize("address", PAGES)
def test_a_page_shows_hostile_text_and_runs_none_of_it(visit: Visit, app: App, address: str) -> None:
    page = visit.page
    page.goto(f"{app.url}/{address}{'&' if '?' in address else '?'}model={hostile.MODEL}")
    settled(page)
    page.wait_for_timeout(700)  # charts and grids draw after the script has ended
    told = visible(page)
    for text in PAGES[address]:
        assert " ".join(text.split()) in told
    visit.was_quiet()


def test_what_opens_on_a_click_is_read_too(visit: Visit, app: App) -> None:
    page = visit.page
    page.goto(f"{app.url}/drift?model={hostile.MODEL}")
    settled(page)
    page.locator(".st-key-feature_pick input").first.click()
    expect(page.get_by_role("option").first).to_be_visible()
    options = " ".join(page.get_by_role("listbox").inner_text().split())
    for text in (hostile.SCRIPT, hostile.BEACON, hostile.FEATURES[9][:20]):
        assert text in options
    assert page.evaluate(INTRUDERS) == []
    page.get_by_role("option").filter(has_text=hostile.IMAGE).first.click()
    settled(page)
    assert hostile.IMAGE in visible(page)
    page.locator(".st-key-quadrant_fold button").first.click()
    settled(page)
    # picked beside the map, it is drawn again under another key
    page.locator(".st-key-heat1_chart .plotly").first.hover(position={"x": 700, "y": 200})
    page.wait_for_timeout(700)
    visit.was_quiet()


def test_what_a_refused_batch_opens_on_a_click_is_read_too(visit: Visit, app: App) -> None:
    page = visit.page
    page.goto(f"{app.url}/batches?model={hostile.MODEL}&batch=b-0004")
    settled(page)
    page.get_by_text("Why this rule?").first.click()
    settled(page)
    expect(page.get_by_text("How serious is it from now on?")).to_be_visible()
    assert page.evaluate(INTRUDERS) == []
    page.keyboard.press("Escape")
    for name in ("Rows as they arrived", "Ledger", "Columns"):
        page.get_by_role("tab", name=name).click()
        settled(page)
        page.wait_for_timeout(700)
        assert page.evaluate(INTRUDERS) == []
    assert hostile.FEATURES[15] in visible(page)
    page.locator(".st-key-batch_discard button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    visit.was_quiet()


def test_a_first_file_of_hostile_columns_can_be_corrected(visit: Visit, app: App) -> None:
    files = app.home.parent / "files"
    page = visit.page
    page.goto(f"{app.url}/define")
    settled(page)
    nasty = files / f"{hostile.IMAGE.replace('/', '')} [a](x) :red[x].parquet"
    nasty.write_bytes((files / "first.parquet").read_bytes())
    page.locator("[class*='st-key-define_file'] input[type=file]").set_input_files(str(nasty))
    expect(page.locator(".st-key-define_model input")).to_be_visible()
    settled(page)
    page.get_by_text("First rows of the file").click()
    settled(page)
    page.wait_for_timeout(700)
    told = visible(page)
    for text in (hostile.IMAGE, hostile.TARGET, "24 columns; its first 1,500 rows were looked at"):
        assert text in told
    visit.was_quiet()


def test_a_downloaded_table_holds_no_formula(visit: Visit, app: App, tmp_path: Path) -> None:
    page = visit.page
    page.goto(f"{app.url}/alerts?model={hostile.MODEL}")
    settled(page)
    with page.expect_download() as waiting:
        page.locator(".st-key-alerts_csv button").click()
    waiting.value.save_as(tmp_path / "alerts.csv")
    visit.was_quiet()
    rows = list(csv.reader(io.StringIO((tmp_path / "alerts.csv").read_text(encoding="utf-8-sig"))))
    cells = [cell for row in rows for cell in row]
    assert any(cell.startswith("'=cmd|") for cell in cells)
    assert not [cell for cell in cells if cell.lstrip()[:1] in {"=", "+", "-", "@"}]
