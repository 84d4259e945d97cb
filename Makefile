# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
PORT ?= 8501
BIN := $(VENV)/bin
export PYTHONHASHSEED ?= 0

.PHONY: run test check bench bars format clean

run: $(VENV)/.run
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile -q

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

bars: $(VENV)/.dev
	CRASH_ROUNDS=20 $(BIN)/python -m pytest -q tests/story/test_crash.py
	PROMOTE_ROUNDS=500 $(BIN)/python -m pytest -q -s tests/story/test_promotions.py
	FEED_ROWS=100000 FEED_KILLS=10 $(BIN)/python -m pytest -q tests/story/test_feeds.py
	CLEAN_BATCHES=500 $(BIN)/python -m pytest -q -s tests/story/test_clean.py tests/story/test_incident.py
	FAULTS_DOC=1 $(BIN)/python -m pytest -q tests/story/test_faults.py
	MALFORMED=1000 $(BIN)/python -m pytest -q tests/story/test_malformed.py
	BARS=1 $(BIN)/python -m pytest -q -s tests/story/test_bars_alarms.py tests/story/test_bars_harm.py tests/story/test_bars_gate.py tests/story/test_bars_bias.py tests/story/test_peers.py tests/story/test_replays.py
	$(BIN)/python -m tests.bench.bars

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-spark.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $(VENV)/.run $@
