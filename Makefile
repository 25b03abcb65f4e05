# `make demo` and `make test` do everything, set-up included, with Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
ROUNDS ?= 5
RUN := $(VENV)/bin/python

.PHONY: demo test test-fast course site bench lint format notebooks clean

demo: $(READY)  ## train on digits, with stored activations and without, and compare
	$(RUN) -m mininet compare

test: $(READY)  ## all tests, notebooks included
	$(RUN) -m pytest

test-fast: $(READY)  ## up to two cases of each test that takes no more than a few seconds, under a minute
	$(RUN) -m pytest -m "not slow" --few 2

course: $(READY)  ## open the course in JupyterLab, at its first notebook
	$(RUN) -m jupyter lab --ServerApp.root_dir=. tutorials/01_momentum_resnets_in_ten_minutes.ipynb

site: $(READY)  ## write the course, the results and the code as pages to read without a server: site/index.html
	$(RUN) -m mininet.course.site --output site

bench: $(BENCH_READY)  ## time it against PyTorch and the authors' package, about 40 minutes; writes docs/benchmarks.md
	$(RUN) -m benchmarks --write-page --rounds $(ROUNDS)

lint: $(READY)  ## what the linter and the formatter would change
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(READY)  ## let them change it
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

notebooks: $(READY)  ## run the tutorials again and keep what they print and draw
	$(RUN) -m jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False tutorials/*.ipynb

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) build dist results site .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "mininet needs Python 3.11 or newer, this is %d.%d; try make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

$(BENCH_READY): $(READY)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@
