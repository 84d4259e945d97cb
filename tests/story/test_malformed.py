"""A thousand malformed uploads through ``receive``: the app lives, none hangs, none leaves a part behind, each is answered.

``MALFORMED=1000`` sends them all (``make bars``); otherwise some 100. Of each upload the store is compared before and
after: an error leaves nothing at all, a quarantined batch nothing but itself, an accepted one all of itself.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline_core.errors import ComputeFailed, PipelineError
from pipeline_core.flows import intake, sandbox
from pipeline_core.records import BatchReport, BatchStatus
from pipeline_core.store.home import Store
from tests.story import malformed, mutations

COUNT = int(os.environ.get("MALFORMED", "100"))
PORTION = 25
HANG_S = 30.0
MEMORY_MAX = 1_074_000_000  # 1 GiB, with what was touched between two looks
LEAKS = re.compile(r"Traceback|pipeline_core|site-packages|\.py\b|0x[0-9a-f]{6,}")
OF_A_BATCH = {"batches", "alerts", "measures", "meta"}  # what a quarantined batch may add to


@dataclass
class Home:
    """A store with a model, and what was seen of it."""

    store: Store
    folder: Path
    answers: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    peak_bytes: int = 0

    def tables(self) -> dict[str, tuple[int, int]]:
        """Rows and a fingerprint of each table, whatever the order of the rows."""
        ask = self.store._database.rows
        names = [name for (name,) in ask("SELECT table_name FROM duckdb_tables() ORDER BY table_name")]
        return {name: ask(f"SELECT count(*), coalesce(bit_xor(hash(t)), 0) FROM {name} t")[0] for name in names}

    def files(self) -> dict[str, int]:
        """Every file in the home but the database's own, with its size."""
        home = self.store.home
        found = (p for p in home.rglob("*") if p.is_file() and not p.name.startswith("store.duckdb"))
        return {str(p.relative_to(home)): p.stat().st_size for p in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home, None, None]:
    folder = tmp_path_factory.mktemp("malformed")
    first = folder / "first.parquet"
    first.write_bytes(mutations.written(mutations.loans(1_500, seed=0), "parquet"))
    outside = folder / "outside.txt"
    outside.write_text("nobody writes here", encoding="utf-8")
    with Store.open(folder / "home") as store:
        intake.define(store, "loans", first, target="late", positive="yes", time="asked", id="loan")
        yield Home(store, folder)
    sandbox.stop()


@pytest.mark.parametrize("portion", range(0, COUNT, PORTION))
def test_each_upload_is_taken_whole_or_told_why_not(portion: int, home: Home, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=sandbox.__name__)
    wrong: list[str] = []
    for upload in malformed.uploads(COUNT)[portion : portion + PORTION]:
        caplog.clear()
        path = home.folder / "upload"
        upload.write(path)
        wrong += [f"{upload.number} {upload.kind}: {problem}" for problem in _problems(home, upload, path)]
        peaks = [int(found) for found in re.findall(r"peak_bytes=(\d+)", caplog.text)]
        home.peak_bytes = max([home.peak_bytes, *peaks])
        if peaks and max(peaks) > MEMORY_MAX:
            wrong.append(f"{upload.number} {upload.kind}: held {max(peaks):,} bytes")
    print(*wrong, sep="\n")
    print(f"{portion}: {dict(home.answers)}, slowest {home.slowest}, most memory {home.peak_bytes:,} bytes")
    assert wrong == []


def test_the_app_is_as_it_was(home: Home) -> None:
    """After all of them: no canary sang, nothing lies outside, every batch is whole, the next good file is taken."""
    places = (home.folder, home.store.home, Path.cwd(), Path("/tmp"), Path(__file__).parent)
    assert [place for place in places if (place / malformed.CANARY).exists()] == []
    assert sorted(p.name for p in home.folder.iterdir() if p.name != "upload") == [
        "first.parquet",
        "home",
        "outside.txt",
    ]
    assert (home.folder / "outside.txt").read_text(encoding="utf-8") == "nobody writes here"
    for batch in home.store.batches.list("loans"):
        raw = home.store.batches.raw_path(batch)
        assert hashlib.sha256(raw.read_bytes()).hexdigest() == batch.sha256
        if batch.status is BatchStatus.ACCEPTED:
            assert home.store.batches.read_rows("loans", batch.batch_id).num_rows == batch.rows
    assert not [p for p in (home.store.home / "work").rglob("*") if p.is_file()]
    good = home.folder / "upload"
    good.write_bytes(mutations.written(mutations.loans(400, seed=99, first=1_600), "parquet"))
    assert intake.receive(home.store, "loans", good).status is BatchStatus.ACCEPTED


def _problems(home: Home, upload: malformed.Upload, path: Path) -> list[str]:
    tables, files, started = home.tables(), home.files(), time.monotonic()
    try:
        report = intake.receive(home.store, "loans", path, source=upload.name)
    except PipelineError as error:
        kind, problems = type(error).__name__, _of_sentence(home, error)
        after = (home.tables(), home.files())
        problems += [] if after == (tables, files) else [f"left something behind: {_difference(tables, files, *after)}"]
    except Exception as error:  # ruff: ignore[blind-except]  a crash is what is looked for; the others are still sent
        kind, problems = "crash", [f"{type(error).__name__}: {error}"[:300]]
    else:
        kind = "duplicate" if report.duplicate else report.status.value
        problems = _of_batch(home, report, tables, files)
        problems += [p for f in report.findings for p in _leaks(home, f.message)]
    took = time.monotonic() - started
    home.answers[kind] += 1
    home.slowest = max(home.slowest, (round(took, 1), upload.kind))
    return problems if took < HANG_S else [*problems, f"took {took:.1f} s"]


def _of_sentence(home: Home, error: PipelineError) -> list[str]:
    problems = _leaks(home, error.message)
    if not error.message.rstrip().endswith((".", "?")):
        problems.append(f"no sentence: {error.message[-80:]!r}")
    if isinstance(error, ComputeFailed):  # a fault of ours: reading has words for whatever is in a file
        problems.append(f"nobody foresaw it: {error.message[:200]}")
    return problems


def _leaks(home: Home, message: str) -> list[str]:
    where = next((text for text in (str(home.folder), "pipeline-reading-") if text in message), None)
    found = LEAKS.search(message)
    return [f"told too much: {message[:300]!r}"] if where or found else []


def _of_batch(home: Home, report: BatchReport, tables: dict[str, tuple[int, int]], files: dict[str, int]) -> list[str]:
    now, lie = home.tables(), home.files()
    changed = {name for name in now if now[name] != tables.get(name)}
    if report.duplicate:  # the store's revision may count on
        return [] if changed <= {"meta"} and lie == files else [f"a known content changed {changed}"]
    problems = []
    new = sorted(set(lie) - set(files))
    if now["batches"][0] != tables["batches"][0] + 1 or set(files) - set(lie):
        problems.append("not one batch more")
    if sum(name.startswith("raw/") for name in new) != 1:
        problems.append(f"not one raw file more: {new}")
    if report.status is BatchStatus.ACCEPTED:
        if home.store.batches.read_rows("loans", report.batch_id).num_rows != report.rows or report.rows < 1:
            problems.append("accepted without all of its rows")
        problems += [] if len(new) in {2, 3} else [f"stray files: {new}"]
    elif not changed <= OF_A_BATCH or len(new) != 1:
        problems.append(f"quarantined, and yet it changed {sorted(changed - OF_A_BATCH)} and left {new}")
    elif not report.findings:
        problems.append("quarantined without a reason")
    return problems


def _difference(
    tables: dict[str, tuple[int, int]], files: dict[str, int], now: dict[str, tuple[int, int]], lie: dict[str, int]
) -> str:
    changed = sorted(name for name in now if now[name] != tables.get(name))
    return f"tables {changed}, files {sorted(set(lie.items()) ^ set(files.items()))}"
