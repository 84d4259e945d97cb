"""The whole loop through buttons only, from an uploaded file to a promotion that a second browser sees."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App, open_page, running_app, settled

START = datetime(2026, 1, 5, tzinfo=UTC)


def deliver(path: Path, *, first_day: int, days: int, seed: int, income_zero: bool = False) -> Path:
    """Write ``days`` x 100 loans; ``income_zero``: upstream has begun to send 0 for an unknown income."""
    rng = np.random.default_rng(seed)
    rows = days * 100
    income = rng.lognormal(10.3, 0.5, rows).round(0)
    debt = rng.beta(2, 5, rows).round(4)
    unknown = rng.random(rows) < 0.3
    risk = 3.2 * debt - 1.1 * np.log(income / 30_000) * ~unknown + 0.5 * unknown - 2.0
    target = rng.random(rows) < 1 / (1 + np.exp(-risk))
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["loan_id", "asked_at", "income", "debt_share", "purpose", "defaulted"])
        for row in range(rows):
            at = START + timedelta(days=first_day, minutes=row * days * 1440 / rows)
            shown = ("0" if income_zero else "") if unknown[row] else f"{income[row]:.0f}"
            purpose = ("car", "home", "trip")[int(rng.integers(3))]
            out.writerow([f"L{seed}-{row}", f"{at:%Y-%m-%d %H:%M:%S}", shown, debt[row], purpose, int(target[row])])
    return path


@pytest.fixture(scope="module")
def app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app on an empty store."""
    assert browser.is_connected()
    with running_app(tmp_path_factory.mktemp("journey") / "home", demo=False) as running:
        yield running


def key(page: Page, name: str, inside: str = "") -> object:
    return page.locator(f".st-key-{name} {inside}".strip())


def upload(page: Page, name: str, path: Path) -> None:
    page.locator(f"[class*='st-key-{name}'] input[type=file]").set_input_files(str(path))
    expect(page.get_by_text(path.name).first).to_be_visible()
    settled(page)


def choose(page: Page, name: str, option: str) -> None:
    page.locator(f".st-key-{name} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def press(page: Page, name: str) -> None:
    page.locator(f".st-key-{name} button").first.click()
    settled(page)


def sure(page: Page, name: str, *, by: str, why: str) -> None:
    """Answer a dialog: name, reason, yes."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    yes = dialog.locator(f".st-key-{name}_yes button").first
    yes.click()
    expect(dialog.get_by_text("Fill in ").first).to_be_visible()
    dialog.locator(f".st-key-{name}_by input").fill(by)
    # the click comes straight out of the field, as a person's does
    dialog.locator(f".st-key-{name}_reason textarea").fill(why)
    yes.click()
    expect(dialog).to_be_hidden()
    settled(page)


def no_trouble(page: Page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)


def train(page: Page, version: int) -> None:
    press(page, "run_start")
    expect(page.get_by_role("heading", name=f"v{version},")).to_be_visible(timeout=90_000)
    no_trouble(page)


def promote(page: Page, app: App, version: int) -> None:
    page.goto(f"{app.url}/challenge?model=loans&challenger={version}")
    settled(page)
    press(page, "challenge_run")
    expect(page.locator(".st-key-promote button").first).to_be_enabled(timeout=60_000)
    press(page, "promote")
    sure(page, "confirm_promote", by="Ada", why="The gate passed")


def test_from_upload_to_a_promotion_that_another_browser_sees(browser: Browser, app: App, tmp_path: Path) -> None:
    page = open_page(browser)
    page.goto(f"{app.url}/define")
    settled(page)

    # a first file becomes a model
    upload(page, "define_file", deliver(tmp_path / "loans.csv", first_day=0, days=40, seed=1))
    expect(page.locator(".st-key-define_model input")).to_have_value("loans")
    choose(page, "define_target", "defaulted")
    press(page, "define_go")
    expect(page.locator(".st-key-define_train button")).to_be_visible()
    press(page, "define_train")

    # it is trained and promoted
    train(page, 1)
    promote(page, app, 1)

    # the second browser is there before anything changes
    second = open_page(browser)
    second.goto(f"{app.url}/registry?model=loans")
    settled(second)
    expect(second.get_by_text("v1").first).to_be_visible()

    # later data arrives, is scored, and upstream has changed how it handles nulls
    page.goto(f"{app.url}/batches?model=loans")
    settled(page)
    upload(page, "arrival_file", deliver(tmp_path / "later.csv", first_day=40, days=42, seed=2, income_zero=True))
    press(page, "arrival_send")
    expect(page.get_by_text("accepted").first).to_be_visible()
    no_trouble(page)

    # what the door saw is told before anybody checks
    page.goto(f"{app.url}/alerts?model=loans")
    settled(page)
    expect(page.get_by_text("null → 0").first).to_be_visible()
    no_trouble(page)

    # the check says what it means
    page.goto(f"{app.url}/drift?model=loans")
    settled(page)
    press(page, "check_now")
    expect(page.get_by_text("What exactly changed?")).to_be_visible(timeout=60_000)
    no_trouble(page)
    page.goto(f"{app.url}/alerts?model=loans")
    settled(page)
    expect(page.get_by_role("heading", name="things wait for you")).to_be_visible()
    no_trouble(page)

    # a challenger that has seen the new nulls passes the gate and is promoted
    page.goto(f"{app.url}/training?model=loans")
    settled(page)
    train(page, 2)
    promote(page, app, 2)

    # the second browser sees it
    second.reload()
    settled(second)
    expect(second.get_by_text("v2").first).to_be_visible()
    expect(second.get_by_text("Ada").first).to_be_visible()
    no_trouble(second)


def written(path: Path, *, first_day: int, seed: int, broken: bool = False) -> Path:
    """Write a week of loans as a spreadsheet of another country does: semicolons, decimal commas, days first."""
    rng = np.random.default_rng(seed)
    lines = ["asked;wage;purpose;defaulted"]
    for row in range(600):
        at = START + timedelta(days=first_day + row // 100)
        income = f"{rng.lognormal(10.3, 0.5):.2f}".replace(".", ",")
        shown = "n.v." if broken and row % 4 == 0 else income
        lines.append(f"{at:%d/%m/%Y};{shown};{('car', 'home', 'trip')[row % 3]};{('no', 'yes')[row % 4 == 0]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_doubtful_file_is_asked_about_and_a_refused_one_taken_in_by_a_person(
    browser: Browser, app: App, tmp_path: Path
) -> None:
    page = open_page(browser)
    page.goto(f"{app.url}/define")
    settled(page)

    # no cell says whether the day comes first: nothing can be defined before somebody does
    upload(page, "define_file", written(tmp_path / "abroad.csv", first_day=0, seed=1))
    expect(page.get_by_text("can be read in more than one way")).to_be_visible()
    expect(page.locator(".st-key-define_go button").first).to_be_disabled()
    page.locator(".st-key-define_ask_date_order").get_by_text("day first").click()
    expect(page.get_by_text("dates day first").first).to_be_visible()
    settled(page)
    press(page, "define_go")
    expect(page.locator(".st-key-define_train button")).to_be_visible()
    no_trouble(page)

    # a later file is read the same way without a question, and refused
    page.goto(f"{app.url}/batches?model=abroad")
    settled(page)
    upload(page, "arrival_file", written(tmp_path / "later.csv", first_day=1, seed=2, broken=True))
    press(page, "arrival_send")
    press(page, "arrival_open")
    expect(page.get_by_role("tab", name="Offending rows")).to_be_visible()
    expect(page.get_by_text("that the findings give as examples")).to_be_visible()

    # a person answers for it
    press(page, "batch_readmit")
    sure(page, "confirm_readmit", by="Grace", why="The sender confirmed it")
    expect(page.get_by_role("heading", name="accepted by a person")).to_be_visible()
    expect(page.get_by_text("Taken in by Grace")).to_be_visible()
    no_trouble(page)


def test_a_file_that_does_not_fit_is_answered_with_a_sentence(browser: Browser, app: App, tmp_path: Path) -> None:
    page = open_page(browser)
    page.goto(f"{app.url}/define")
    settled(page)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 but not really")
    upload(page, "define_file", broken)
    expect(page.get_by_text("The file cannot be read").first).to_be_visible()
    no_trouble(page)
