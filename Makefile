# The two commands: `make run` and `make test`. Both set up what they need.
PY := .venv/bin/python
PRESET ?= deep-100
SCREEN = $(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(if $(shell command -v Xvfb),scripts/virtual_screen.sh))

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint bench screenshots clean ready-run ready-test

help:
	@echo "make run [PRESET=$(PRESET)]  open the observatory; without a display, render recordings/$(PRESET).mp4"
	@echo "make test                 lint, types, import contracts and the quick tests (with CI=true: all tests)"
	@echo "make test-slow            only the slow tests"
	@echo "make lint                 ruff, mypy and the import contracts"
	@echo "make bench                print timings"
	@echo "make screenshots          take the documentation's pictures from the program, on a virtual screen"
	@echo "make clean                remove what was built; .venv and recordings stay"

ready-run:
	@scripts/bootstrap.sh run

ready-test:
	@scripts/bootstrap.sh test

run: ready-run
	@$(PY) -m observatory $(PRESET)

test: lint
	$(PY) -m pytest $(if $(CI),,-m "not slow")

test-slow: ready-test
	$(PY) -m pytest -m slow

lint: ready-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

bench: ready-test
	@for file in benchmarks/*.py; do echo "== $$file"; $(SCREEN) $(PY) $$file || exit 1; done

screenshots: ready-test
	scripts/virtual_screen.sh $(PY) scripts/screenshots.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
