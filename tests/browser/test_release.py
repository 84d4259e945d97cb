"""A release through buttons only: retrain, watch, compare, be refused in plain words, fix, shadow, pass, promote, roll back.

What depends on how pages are laid out stands in the helpers on top; the story itself is below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline_core.flows import intake, release
from pipeline_core.flows.compute import in_process
from pipeline_core.store.home import Store
from tests.browser.conftest import App, open_page, running_app, settled
from tests.browser.test_journey import deliver

MODEL = "loans"
DAYS, LATER_DAYS = 30, 7
FEW_UNTIL = "20260108"
"""Three days of loans, 300 rows: enough to train on, far too few to be as good."""


# --- helpers: mend these when a page changes ------------------------------------------------------


def visit(page: Page, app: App, name: str, **query: str) -> None:
    asked = "&".join(f"{key}={value}" for key, value in {"model": MODEL, **query}.items())
    page.goto(f"{app.url}/{name}?{asked}")
    settled(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()
    settled(page)


def answer(page: Page, button: str, *, by: str, why: str) -> None:
    """Answer a dialog: who, why, yes."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill(by)
    dialog.get_by_label("Reason").fill(why)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden()
    settled(page)


def train_until(page: Page, day: str) -> None:
    """Start a run on the rows before a day."""
    page.get_by_role("spinbutton", name=re.compile(r"^year, Use rows until")).click()
    page.keyboard.type(day)  # the parts of the field follow each other by themselves
    page.keyboard.press("Tab")
    settled(page)
    press(page, "Train a version")


def choose_estimator(page: Page, named: str) -> None:
    page.get_by_label("Estimator").first.click()
    page.get_by_role("option", name=re.compile(rf"^{named}")).click()
    settled(page)


def work_goes_on(page: Page) -> None:
    """See the progress of what was started, and that one may leave."""
    expect(page.get_by_text("You may leave this page; the work goes on.").first).to_be_visible()


def trained(page: Page, version: int) -> None:
    expect(page.get_by_role("heading", name=re.compile(rf"^v{version},"))).to_be_visible(timeout=90_000)


def challenged(page: Page, says: str) -> None:
    """Run the challenge and wait for its sentence on top."""
    page.get_by_role("button", name=re.compile(r"^Run the challenge")).click()
    expect(page.get_by_role("heading", name=says)).to_be_visible(timeout=60_000)
    settled(page)


def send_and_score(page: Page, app: App, file: Path) -> None:
    visit(page, app, "batches")
    page.locator("input[type=file]").first.set_input_files(str(file))
    expect(page.get_by_text(file.name).first).to_be_visible()
    settled(page)
    press(page, "Send the file")
    expect(page.get_by_text(f"scored {LATER_DAYS * 100} rows").first).to_be_visible(timeout=60_000)


def champion_is(page: Page, app: App, version: int) -> None:
    visit(page, app, "registry")
    expect(page.get_by_role("heading", name=f"v{version} is champion of {MODEL}")).to_be_visible()


# --- the story ------------------------------------------------------------------------------------


@pytest.fixture
def app(browser: Browser, tmp_path: Path) -> Iterator[App]:
    """An app on a home whose model has a champion, made of a month of loans."""
    assert browser.is_connected()
    with Store.open(tmp_path / "home") as store:
        first = deliver(tmp_path / "loans.csv", first_day=0, days=DAYS, seed=1)
        intake.define(store, MODEL, first, target="defaulted", positive="1", time="asked_at", id="loan_id")
        release.train(store, MODEL, estimator="logistic_regression", compute=in_process)
        release.promote(store, MODEL, version=1, by="Ada", reason="the first one")
    with running_app(tmp_path / "home", demo=False) as running:
        yield running


def test_a_challenger_is_refused_mended_shadowed_promoted_and_rolled_back(
    browser: Browser, app: App, tmp_path: Path
) -> None:
    page = open_page(browser)

    # retrain on three days alone, watch it, see it beside the champion
    visit(page, app, "training")
    train_until(page, FEW_UNTIL)
    work_goes_on(page)
    trained(page, 2)
    visit(page, app, "training", versions="2,1")
    expect(page.get_by_role("heading", name="v2, v1 compared")).to_be_visible()
    expect(page.get_by_text("Only the challenge compares them on the same rows.")).to_be_visible()

    # the gate refuses it, in plain words, and the button says why
    visit(page, app, "challenge", challenger="2")
    expect(page.get_by_role("button", name="Promote v2")).to_be_disabled()
    challenged(page, "Keep champion v1: v2 loses too much in")
    expect(page.get_by_text("That is not less than the allowed loss")).to_be_visible()
    expect(page.get_by_text("The gate refuses this promotion, because").first).to_be_visible()
    expect(page.get_by_role("button", name="Promote v2")).to_be_disabled()

    # mended: all rows, the champion's kind of model
    visit(page, app, "training")
    choose_estimator(page, "Linear model")
    press(page, "Train a version")
    trained(page, 3)

    # it scores a week beside the champion, unseen
    visit(page, app, "challenge", challenger="3")
    press(page, "Put v3 in shadow")
    answer(page, "Start the shadow", by="Grace", why="a week beside it first")
    expect(page.get_by_text("has scored no live row beside v1 yet")).to_be_visible()
    send_and_score(page, app, deliver(tmp_path / "week.csv", first_day=DAYS, days=LATER_DAYS, seed=2))
    visit(page, app, "challenge", challenger="3")
    expect(page.get_by_text(f"has scored {LATER_DAYS * 100} live rows beside v1")).to_be_visible()
    expect(page.get_by_text("Started").first).to_contain_text("Grace")

    # it passes, and is promoted
    challenged(page, "v3 may replace champion v1")
    expect(page.get_by_role("button", name="Promote v3")).to_be_enabled()
    press(page, "Promote v3")
    answer(page, "Make v3 champion", by="Grace", why="as good, and newer")
    champion_is(page, app, 3)
    expect(page.get_by_text("as good, and newer").first).to_be_visible()

    # one click back
    press(page, "Roll back to v1")
    answer(page, "Make v1 champion again", by="Ada", why="customers complain")
    champion_is(page, app, 1)
    expect(page.get_by_text("customers complain").first).to_be_visible()
