# `make test` and `make demo` take Python 3.11 to 3.13, a way to PyPI and about 1 GB of disk; they make .venv first.

# Bytecode is written even where the environment says otherwise: Airflow starts twice as fast from it.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
# Many of the tests wait most of the time: for answers, reports and processes. A few processes run Airflow for
# all (tests/conftest.py).
WORKERS := $(shell echo $$(( 4 * $$(getconf _NPROCESSORS_ONLN) ))) --dist loadgroup
# The tests of a file with a whole Airflow share it.
MATRIX := -n auto --dist loadgroup
# The rooms of which the tests run every line and every branch; of all that is measured see pyproject.toml.
CORE := */delivery/*,*/gateway/*,*/ledger/*,*/rows/*,*/sending/*
OLDER_AIRFLOWS := 2.11 3.0 3.1 3.2
# What fails on the newest pre-release is shown, and fails nothing.
AIRFLOWS_THAT_WARN := next

.DEFAULT_GOAL := help
.PHONY: help venv test lint errors format browser matrix matrix-more demo demo-open proof explore chaos chaos-airflow cluster cluster-test cluster-load bench bench-short bench-airflow sandbox-load fault-table docs dist lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

venv: .venv/.ready ## make the virtual environment .venv, if anything in it has changed (PYTHON=/path/to/python3)

# The script looks whether that is the Python of .venv.
ifeq ($(origin PYTHON),command line)
.PHONY: .venv/.ready
endif

.venv/.ready: requirements/dev.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh .venv $<
	@touch $@

.venv-peers/.ready: requirements/peers.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh .venv-peers $<
	@touch $@

.venv-docs/.ready: requirements/docs.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh .venv-docs $<
	@touch $@

.venv-cluster/.ready: requirements/cluster.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh .venv-cluster $<
	@touch $@

.PRECIOUS: .venv-%/.ready
.venv-%/.ready: requirements/airflow-%.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh .venv-$* $<
	@touch $@

test: lint ## check format, lint, types, and run the tests, with the coverage of the core
	$(BIN)/pytest -n $(WORKERS) -m "not (browser or slow or stack or explore or far or cluster or proof)" --cov --cov-report=term-missing:skip-covered
	$(BIN)/coverage report --include='$(CORE)' --show-missing --skip-covered --fail-under=100

lint: venv ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

errors: venv ## print every text that the package raises or logs, to be read aloud
	@$(BIN)/python scripts/errors.py

format: venv ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

browser: venv ## look at Airflow's pages and the sandbox's in a headless Chromium
	$(BIN)/pytest -m browser

matrix: $(OLDER_AIRFLOWS:%=matrix-%) ## run the tests that touch Airflow on every older Airflow that is supported

matrix-more: matrix-lowest $(AIRFLOWS_THAT_WARN:%=matrix-%) ## the same with the lowest versions of all, and on the newest pre-release

# The triggerer of 2.11 and that of the newest Airflow hold a thousand triggers; those between need not, too.
matrix-%: .venv-%/.ready
	.venv-$*/bin/pytest $(MATRIX) -m "(airflow or stack) and not browser" $(if $(filter-out 2.11,$*),--ignore tests/sensors/test_thousand_triggers.py)

# The lowest versions that pyproject.toml admits: our own dependencies matter there, whole stacks run on 2.11.
matrix-lowest: .venv-lowest/.ready
	.venv-lowest/bin/pytest $(MATRIX) -m "airflow and not browser"
	.venv-lowest/bin/pytest -n $(WORKERS) -m "not (airflow or stack)" tests/gateway tests/rows tests/sending

$(AIRFLOWS_THAT_WARN:%=matrix-%): matrix-%: .venv-%/.ready
	.venv-$*/bin/pytest $(MATRIX) -m "(airflow or stack) and not browser" --ignore tests/sensors/test_thousand_triggers.py || \
		echo "WARNING: some tests fail on Airflow $* (see above); this fails nothing."

proof: venv ## run every case of long tables, try out every order of events, kill sends at random instants and a real Airflow: the short form of the three below
	$(BIN)/pytest -n $(WORKERS) -m "(explore or proof) and not (far or browser)"
	$(BIN)/pytest -m "(slow or stack) and not browser"

explore: venv ## try out new inputs, and every order of events with more batches, tries and faults at once: an hour or so
	$(BIN)/pytest -n auto -m "hypothesis" --hypothesis-profile=wide
	$(BIN)/pytest -n auto -m "explore or far" -rP

chaos: venv ## kill 1,000 sends at random instants under a failing gateway, and count (TRIALS=1000)
	$(BIN)/python -m tests.chaos.chaos --trials $(or $(TRIALS),1000)

chaos-airflow: venv ## kill the processes of a real Airflow in the middle of 20 sends, and count (TRIALS=20)
	$(BIN)/python -m tests.chaos.airflow_kills --trials $(or $(TRIALS),20)

cluster: .venv-cluster/.ready ## start Airflow with Celery, Redis, PostgreSQL and object storage on this machine, until Ctrl-C
	.venv-cluster/bin/python -m tests.cluster.cluster

cluster-test: .venv-cluster/.ready ## send a campaign there while parts of it are killed, and count (ROWS=100000)
	P2PSMS_CLUSTER_ROWS=$(or $(ROWS),100000) .venv-cluster/bin/pytest -m cluster -s tests/cluster

cluster-load: .venv-cluster/.ready ## measure a campaign there with 1, 2 and 4 sends at once; write docs/cluster.md
	.venv-cluster/bin/python -m tests.cluster.load --write

demo: venv ## send the rows of a CSV through a real Airflow to a local gateway, and count what arrived
	$(BIN)/python scripts/demo.py

demo-open: venv ## show the messages of the last demo on a page of the local gateway
	$(BIN)/p2psms sandbox --database .demo/outbox.sqlite

bench-short: .venv-peers/.ready
	.venv-peers/bin/python -m scripts.bench --short

bench: .venv-peers/.ready ## measure speed, memory, parsing and the ledger against others; write docs/benchmarks.md
	.venv-peers/bin/python -m scripts.bench --write

bench-airflow: .venv-peers/.ready ## measure only what takes a real Airflow, in a few minutes
	.venv-peers/bin/python -m scripts.bench --airflow

sandbox-load: venv ## measure how fast the sandbox answers while it holds 100,000 messages
	$(BIN)/python -m scripts.bench.sandbox_load

fault-table: .venv-peers/.ready ## measure every network fault against every way of sending; write docs/faults.md
	.venv-peers/bin/python -m scripts.fault_table --write

docs: .venv-docs/.ready ## build the pages of docs/ into build/site, and fail at a dead link
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "Open build/site/index.html; for its search: python3 -m http.server --directory build/site"

dist: .venv-docs/.ready ## build wheel and source distribution into dist/, check them, and use them in an empty environment
	scripts/check_release.sh

lock: venv ## pin the newest versions of everything anew
	scripts/lock.sh

clean: ## remove all that these targets made
	rm -rf .venv .venv-* .demo .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
