"""Every page of the demo in a real browser: it opens cold by its address, and how long it takes is printed."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import App, open_page, running_app, settled

PAGES = ("overview", "drift", "alerts", "batches", "sources", "define", "training", "challenge", "registry")
SHOTS = os.environ.get("SHOTS")


@pytest.fixture(scope="module")
def demo(browser: Browser, demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app on a home that has the demo; the time until the overview showed figures is printed."""
    home = shutil.copytree(demo_home, tmp_path_factory.mktemp("demo") / "home")
    with running_app(home, demo=True) as running:
        started = time.monotonic()
        page = open_page(browser)
        page.goto(running.url)
        settled(page)
        expect(page.locator(".st-key-cards_0")).to_be_visible()
        print(f"\nthe overview had figures after {time.monotonic() - started:.1f} s")
        page.context.close()
        yield running


def test_an_empty_home_begins_to_build_the_demo_by_itself(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path / "home", demo=True) as running:
        page = open_page(browser)
        page.goto(running.url)
        settled(page)
        expect(page.get_by_text("Bring your own data").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"2025: (receiving|defining)")).first).to_be_visible(timeout=60_000)
        page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_cold_and_then_warm(browser: Browser, demo: App, name: str) -> None:
    page = open_page(browser)
    page.goto(f"{demo.url}/{name}?model=lending")
    settled(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    started = time.monotonic()
    page.reload()
    settled(page)
    print(f"\n{name}: warm in {time.monotonic() - started:.2f} s")
    page.context.close()


if SHOTS:  # a folder: screenshots are pictures to look at, not a test to skip

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 1920])
    @pytest.mark.parametrize("name", PAGES)
    def test_screenshot(browser: Browser, demo: App, name: str, width: int, dark: bool) -> None:
        page = open_page(browser, dark=dark, width=width, height=800 if width == 1280 else 1080)
        page.goto(f"{demo.url}/{name}?model=lending")
        settled(page)
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{'dark' if dark else 'light'}.png", full_page=False)
        page.context.close()
