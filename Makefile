# Everything runs in .venv, which holds exactly what requirements.lock lists.
PYTHON ?= python3
PY := .venv/bin/python

# One thread per kernel: the last digits of a sum then do not depend on the machine's cores.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
# In the C locale, Python 3.11 cannot read from .venv a path that has a letter outside ASCII.
export LC_ALL := C.UTF-8
# Kernels and tests start hundreds of interpreters; without stored bytecode each compiles its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

CHECKS := ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

.PHONY: help book test test-slow test-all lab bench mutants lock clean .venv/.installed

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

book: .venv/.installed ## execute the chapters that changed, then build the site in _build/html
	$(PY) book/tools/execute.py
	$(PY) book/tools/build.py

test: .venv/.installed ## check style, types, units, chapters and the built site
	$(PY) -m $(CHECKS)
	$(PY) -m pytest

test-slow: .venv/.installed ## the slow tests, the evidence pages, and all pages as other processors run them
	$(PY) -m pytest -m slow
	$(PY) book/tools/other_kernels.py

test-all: test test-slow ## both

lab: .venv/.installed ## open JupyterLab on the notebooks for teachers and students, in lab/
	$(PY) book/tools/teach.py
	$(PY) -m jupyterlab lab $(if $(filter 0,$(shell id -u)),--allow-root)

bench: .venv/.installed ## time fits and searches against the ways people make them today, in benchmarks/*.json (ALL=1: every start)
	$(PY) benchmarks/run.py $(if $(ALL),--all)
	$(PY) benchmarks/architectures.py

mutants: .venv/.installed ## change the package in many single places, and list the changes that no test notices
	$(PY) book/tools/mutants.py

lock: .venv/.installed ## resolve requirements.lock anew from pyproject.toml; UPGRADE= keeps the versions that it has
	$(PY) -m uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 \
	    --no-header --no-annotate --no-emit-index-url \
	    --extra book --extra lab --extra test pyproject.toml --output-file requirements.lock

lock: UPGRADE ?= --upgrade

clean: ## remove everything that make wrote
	rm -rf .venv _build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.installed:
	@$(PYTHON) book/tools/install.py
