# Everything runs in .venv, which holds exactly what requirements.lock lists.
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check

# One thread per kernel: the last digits of a sum then do not depend on the machine's cores.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: help book test bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

book: .venv/.installed ## execute the chapters that changed, then build the site in _build/html
	$(PY) book/tools/execute.py
	@$(MAKE) --no-print-directory _build/.built
	@echo "The site is at _build/html/index.html"

# All that a page is made from, once the chapters are up to date.
PAGES := _config.yml _toc.yml requirements.lock $(shell find book chapters moelaws data -mindepth 1 -not -name '*.py[co]' -not -name __pycache__)

# A strict build reports only the pages that it reads again, so it starts from nothing.
_build/.built: $(PAGES)
	rm -rf _build/html _build/.doctrees
	.venv/bin/jupyter-book build --all --warningiserror --nitpick --keep-going --quiet .
	@touch $@

test: .venv/.installed ## check style, types, units, chapters and the built site
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest

bench: .venv/.installed ## time fits and searches against the ways people make them today, in benchmarks/*.json (ALL=1: every start)
	$(PY) benchmarks/run.py $(if $(ALL),--all)
	$(PY) benchmarks/architectures.py

lock: .venv/.installed ## resolve requirements.lock anew from pyproject.toml
	$(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	    --no-header --no-annotate --no-emit-index-url \
	    --extra book --extra test pyproject.toml --output-file requirements.lock

clean: ## remove everything that make wrote
	rm -rf .venv _build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# uv installs in seconds what takes pip a minute; where uv cannot be had or fails, pip does it.
.venv/.installed: requirements.lock pyproject.toml
	test -x $(PY) || python3 -m venv .venv
	{ $(PIP) install -q uv && $(PY) -m uv pip install -q --python $(PY) --no-deps -r requirements.lock -e .; } \
	    || $(PIP) install -q --no-deps -r requirements.lock -e .
	touch $@
