"""Every page of the demo in a real browser: it opens cold by its address, and how long it takes is printed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import App, open_page, running_app, settled

PAGES = ("overview", "drift", "alerts", "batches", "sources", "define", "training", "challenge", "registry")
SHOTS = os.environ.get("SHOTS")


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app that has built its demo; the time until the overview showed figures is printed."""
    with running_app(tmp_path_factory.mktemp("demo") / "home", demo=True) as running:
        started = time.monotonic()
        page = open_page(browser)
        page.goto(running.url)
        settled(page)
        expect(page.get_by_text("Bring your own data").first).to_be_visible()
        expect(page.locator(".st-key-cards_0")).to_be_visible(timeout=240_000)
        print(f"\nthe demo's overview had figures after {time.monotonic() - started:.1f} s")
        page.context.close()
        yield running


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
