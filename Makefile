# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHROMIUM := /usr/bin/chromium
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast chaos check golden translations pictures bench lock chromium clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## the virtual environment in .venv, and nothing else
	@echo "Ready: ./send.py --help"

demo: $(READY) ## the main job on the sample issue, with nothing to configure (ARGS=--no-serve ends by itself)
	$(BIN)/python send.py demo $(ARGS)

test: $(READY) chromium ## every test (ARGS=... goes to pytest)
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 $(ARGS)

test-fast: $(READY) ## the unit tests
	$(BIN)/pytest tests/unit $(ARGS)

chaos: $(READY) ## kill senders at random and audit every row (KILLS=2000)
	$(BIN)/python -m tests.chaos --kills $(or $(KILLS),2000) $(ARGS)

check: $(READY) ## lint, format, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

golden: $(READY) ## write the golden files again; read the diff before you commit it
	GOLDEN=1 $(BIN)/pytest tests/unit -k "golden" $(ARGS)

translations: $(READY) ## gather the words of pages and mail, and compile their translations (NEW=fr starts one)
	$(BIN)/pybabel -q extract -F templates/locale/babel.cfg -c NOTE: --no-location --sort-output --project newsletter-pipeline --version 1 -o $(VENV)/newsletter.pot .
	$(if $(NEW),$(BIN)/pybabel -q init -i $(VENV)/newsletter.pot -d templates/locale -D newsletter -w 98 -l $(NEW))
	$(BIN)/pybabel -q update -i $(VENV)/newsletter.pot -d templates/locale -D newsletter -w 98 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -d templates/locale -D newsletter

pictures: $(READY) chromium ## take the pictures of README.md again
	$(BIN)/python docs/make_pictures.py

bench: $(READY) ## figures beside peers, as ratios (see docs/performance.md)
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

lock: $(READY) ## resolve the dependencies again
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --generate-hashes --no-emit-index-url --python-version 3.11 -o requirements.lock

chromium: ## install Debian's Chromium, for the browser tests
	@test -x $(CHROMIUM) || ($(AS_ROOT) apt-get update -qq && \
	  $(AS_ROOT) apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null) || \
	  (echo "cannot install Chromium: run 'apt-get install chromium' as root, then again" >&2; exit 1)

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1)
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || ($(AS_ROOT) apt-get update -qq && \
	  $(AS_ROOT) apt-get install -y -qq python3-venv >/dev/null)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(READY)

clean: ## remove what the other targets made
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
