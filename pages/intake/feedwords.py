"""The words of the sources page: kinds, their settings, what state a source is in; pure. Foreign text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pages.ui import wording
from pages.ui.wording import State
from pipeline_core.records import BatchReport, Feed, FeedKind, FeedReport, FeedStatus

KINDS: Mapping[FeedKind, str] = {
    FeedKind.FOLDER: "Folder",
    FeedKind.DATABASE: "Database",
    FeedKind.URL: "Address",
    FeedKind.KAFKA: "Kafka",
    FeedKind.REDIS: "Redis",
}
ABOUT: Mapping[FeedKind, str] = {
    FeedKind.FOLDER: "New and changed files below a folder of this machine, once they are finished.",
    FeedKind.DATABASE: "What a query answers: as a whole, or behind the last value of a column that only grows.",
    FeedKind.URL: "A file behind http or https, taken when its content changed.",
    FeedKind.KAFKA: "JSON messages of a topic, from all partitions, committed transactions only.",
    FeedKind.REDIS: "Entries of a stream, in portions by count or time.",
}
STREAMS = frozenset({FeedKind.KAFKA, FeedKind.REDIS})
PACES: Mapping[int, str] = {
    0: "only when asked",
    60: "every minute",
    300: "every 5 minutes",
    900: "every 15 minutes",
    3_600: "every hour",
    86_400: "every day",
}
SECRET_PREFIXES = ("env:", "streamlit:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A setting as the form asks for it; ``many`` lines, or one."""

    setting: str
    label: str
    placeholder: str = ""
    help: str | None = None
    many: bool = False


FIELDS: Mapping[FeedKind, tuple[Field, ...]] = {
    FeedKind.FOLDER: (
        Field(setting="root", label="Folder", placeholder="/data/incoming"),
        Field(setting="glob", label="Which files", placeholder="*", help="**/*.csv goes down into folders."),
        Field(setting="settle_s", label="Finished after (s)", placeholder="2", help="Left alone for so many seconds."),
    ),
    FeedKind.DATABASE: (
        Field(
            setting="dsn", label="Connection", placeholder="env:SHOP_DSN",
            help="postgresql://host/name, sqlite:////path.db; other databases are not asked. With a password in it: only by name.",
        ),
        Field(setting="cursor", label="Column that only grows", placeholder="id", help="The next run reads behind it."),
        Field(setting="start", label="Begin behind", placeholder="from the first row", help="A value of that column."),
        Field(setting="query", label="Query", placeholder="SELECT * FROM orders", many=True),
    ),
    FeedKind.URL: (
        Field(setting="url", label="Address", placeholder="https://data.example.org/loans.csv"),
        Field(setting="hosts", label="Who may be asked", placeholder="data.example.org", help="host or host:port, commas."),
        Field(setting="authorization", label="Authorization header", placeholder="env:LOANS_TOKEN", help="Only by name."),
    ),
    FeedKind.KAFKA: (
        Field(setting="servers", label="Servers", placeholder="broker:9092"),
        Field(setting="topic", label="Topic", placeholder="loans"),
        Field(setting="group", label="Group", placeholder="pipeline-NAME", help="Offsets are shown to others under it."),
        Field(setting="security_protocol", label="Security protocol", placeholder="plaintext"),
        Field(setting="sasl_mechanism", label="SASL mechanism"),
        Field(setting="sasl_username", label="SASL user"),
        Field(setting="sasl_password", label="SASL password", placeholder="env:KAFKA_PASSWORD", help="Only by name."),
        Field(setting="ca_location", label="CA file"),
        Field(setting="gaps", label="Where messages expired", placeholder="stop", help="go_on: skip what is gone."),
    ),
    FeedKind.REDIS: (
        Field(setting="url", label="Address", placeholder="redis://host:6379/0", help="With a password in it: only by name."),
        Field(setting="stream", label="Stream", placeholder="loans"),
        Field(setting="field", label="Field with JSON", placeholder="each field is a column"),
        Field(setting="group", label="Group", placeholder="pipeline-NAME", help="Ours alone."),
        Field(setting="gaps", label="Where entries were trimmed", placeholder="stop", help="go_on: skip what is gone."),
    ),
}  # fmt: skip


def pace(feed: Feed) -> str:
    """Say how often a source runs."""
    if feed.every_s is None:
        return PACES[0]
    return PACES.get(feed.every_s, f"every {wording.duration(feed.every_s)}")


def state(status: FeedStatus) -> State:
    """Give the state of a source."""
    if not status.feed.enabled:
        return State.UNKNOWN
    if status.state.last_error:
        return State.PAGE
    return State.UNKNOWN if status.state.last_run_at is None else State.OK


def word(status: FeedStatus) -> str:
    """Say the state of a source in a word or two."""
    if not status.feed.enabled:
        return "paused"
    if status.state.last_error:
        return "failed"
    return "not run yet" if status.state.last_run_at is None else "works"


def summary(statuses: Sequence[FeedStatus], model: str) -> tuple[str, State]:
    """Say where the batches of a model come from by themselves, and what is wrong."""
    failed = [s.feed.name for s in statuses if s.feed.enabled and s.state.last_error]
    paused = [s.feed.name for s in statuses if not s.feed.enabled]
    parts = [f"**{wording.count(len(statuses), 'source')}** for **{wording.safe(model)}**"]
    if failed:
        parts.append(f"**{len(failed)} failed** at the last run ({wording.listing(failed)})")
    if paused:
        parts.append(f"{len(paused)} {'is' if len(paused) == 1 else 'are'} paused ({wording.listing(paused)})")
    if not failed and not paused:
        parts.append("none failed at the last run")
    worst = wording.worst(state(status) for status in statuses)
    return f"{'; '.join(parts)}.", worst


def opening(status: FeedStatus, now: datetime) -> str:
    """Say what one source is, and how it does."""
    feed, kept = status.feed, status.state
    name = f"**{wording.safe(feed.name)}** ({KINDS[feed.kind].lower()}, {pace(feed)})"
    brought = f"{wording.count(kept.deliveries, 'delivery')} with {wording.count(kept.rows, 'row')} so far"
    if not feed.enabled:
        return f"{name} is **paused**: {brought}."
    if kept.last_error:
        return f"{name} **failed** at its last run, {ago(kept.last_run_at, now)}; {brought}."
    if kept.last_run_at is None:
        return f"{name} has **not run yet**."
    return f"{name} works: last run {ago(kept.last_run_at, now)}; {brought}."


def ago(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was."""
    if at is None:
        return wording.DASH
    since = now - at
    if since < timedelta(minutes=1):
        return "just now"
    if since < timedelta(days=1):
        return f"{wording.duration(since.total_seconds() // 60 * 60)} ago".replace(" 0 s", "").replace(" 0 min", "")
    return wording.clock(at)


def trouble(status: FeedStatus) -> str:
    """Say what went wrong with a source."""
    return f"**{wording.safe(status.feed.name)}**: {wording.safe(status.state.last_error or '', length=600)}"


def row(status: FeedStatus, now: datetime) -> dict[str, object]:
    """Give one source as a row of the table."""
    feed, kept = status.feed, status.state
    return {
        "Source": feed.name,
        "State": [word(status)],
        "Kind": KINDS[feed.kind],
        "Runs": pace(feed),
        "Last run": ago(kept.last_run_at, now),
        "Deliveries": kept.deliveries,
        "Rows": kept.rows,
    }


def brought(feed: Feed, batches: Sequence[BatchReport]) -> list[BatchReport]:
    """Give the batches that came by a source, in the order given."""
    return [batch for batch in batches if batch.source.startswith(f"{feed.name}: ")]


def ran(report: FeedReport) -> tuple[str, State]:
    """Say what one run brought."""
    name = wording.safe(report.name)
    if not report.batches and not report.errors:
        known = f"; {wording.count(report.duplicates, 'delivery')} known already" if report.duplicates else ""
        text = f"**{name}** brought nothing new{known}."
    else:
        text = (
            f"**{name}** brought {wording.count(len(report.batches), 'batch')} with {wording.count(report.rows, 'row')}"
        )
        text += f"; **{report.quarantined} quarantined**." if report.quarantined else "."
    text += "".join(f" {wording.safe(said, length=400)}" for said in (*report.errors, *report.notes))
    if report.stopped and report.stopped != "caught up":
        text += f" It stopped {wording.safe(report.stopped, length=200)}."
    bad = report.quarantined or report.errors
    return text, State.WATCH if bad else State.OK


def remove_consequences(status: FeedStatus) -> str:
    """Say what removing a source does."""
    return (
        f"**{wording.safe(status.feed.name)}** is forgotten, and with it how far it was read. The batches that it brought stay. Added"
        " again under the same name it begins from the beginning; content that is known is not received twice."
    )
