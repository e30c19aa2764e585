# The two commands of a newcomer: `make demo` and `make test`. All targets need Python 3.11 or newer with venv,
# and nothing else: each makes the virtual environment that it uses.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin

# One BLAS thread per test process: the processes share the cores, and results do not depend on the machine.
PINNED := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 MPLBACKEND=Agg

# Parts of the library that the reference describes besides the public names.
REFERENCE := segments plots report components families structures executors inference statistics protocols exceptions testing

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types pytest test-slow bench docs lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "mixtura needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The pins of requirements-dev.lock make every machine resolve to the same versions.
$(VENV)/.demo: pyproject.toml requirements-dev.lock | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml requirements-dev.lock | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e ".[dev]"
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## shopping missions of 2,469 real households, with a report in build/demo
	$(BIN)/mixtura demo --out build/demo --overwrite

test: lint types pytest ## format, lint, types, tests, doctests, documentation examples

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

pytest: $(VENV)/.dev
	$(PINNED) $(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal

test-slow: $(VENV)/.dev ## the tests that `make test` leaves out
	$(PINNED) $(BIN)/python -m pytest -m slow -n $(JOBS) --dist worksteal

bench: $(VENV)/.dev ## every figure that the project claims, in small (BENCH=--full for the sizes of docs/benchmarks.md)
	$(BIN)/python benchmarks/run_all.py $(BENCH)

docs: $(VENV)/.dev ## the documentation as HTML in build/docs, the reference from the docstrings
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/pdoc --docformat numpy --output-directory build/docs/reference mixtura $(addprefix mixtura.,$(REFERENCE))
	@echo "build/docs/index.html"

lock: ## pin the newest versions that pyproject.toml allows
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet ".[dev]"
	{ sed -n '/^#/p' requirements-dev.lock; build/lock/bin/python -m pip freeze --exclude mixtura | grep '=='; } > build/pins
	mv build/pins requirements-dev.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
