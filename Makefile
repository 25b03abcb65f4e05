# `make demo` and `make test` do everything, set-up included, with Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
DOCS_READY := $(VENV)/.ready-docs
LAB_READY := $(VENV)/.ready-lab
EXTRAS_VENV := .venv-extras
EXTRAS_READY := $(EXTRAS_VENV)/.ready
EXTRAS_PYTHON ?= python3.11
ROUNDS ?= 5
unexport PYTHONDONTWRITEBYTECODE  # or each process that a test starts would compile the package from its text

RUN := $(VENV)/$(BIN)/python
TEST := $(RUN) -m pytest --numprocesses 2 --dist worksteal
PYTHONS ?= $(RUN)

.PHONY: demo test test-fast extras test-bounds fuzz mutants coverage course site bench lint types format notebooks packages test-requirements clean

demo: $(READY)  ## train on digits, with stored activations and without, and compare
	$(RUN) -m mininet compare

test: $(READY)  ## all tests, notebooks included
	$(TEST)

test-fast: $(READY)  ## up to two cases of each test that takes no more than a few seconds; about a minute, once kernels are compiled
	$(TEST) -m "not slow" --few 2

fuzz: $(READY)  ## the generated tests in their long form: at least 20,000 examples, others each time
	$(TEST) tests/generated --hypothesis-profile=long --least-examples 20000

extras: $(EXTRAS_READY)  ## the tests of the layer for PyTorch and of training on many processes, some minutes; Python 3.11
	$(EXTRAS_VENV)/$(BIN)/python -m pytest --numprocesses 2 tests/bridges tests/test_sharding.py

test-bounds: $(READY)  ## the tests of compiled kernels and their callers, with every index checked, a quarter of an hour
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/build/bounds $(TEST) tests/kernels tests/nn tests/reversible tests/misuse

# Kernels as plain Python are up to a thousand times slower, and NumPy warns where integers wrap
coverage: $(READY)  ## statements and branches of mininet that the tests pass through: kernels as plain Python, then the rest
	mkdir -p build
	NUMBA_DISABLE_JIT=1 $(RUN) -m coverage run -m pytest -m "not slow" \
		tests/kernels tests/autodiff/test_operations.py tests/test_optim.py tests/reversible/test_bdia.py \
		-k "not (a_row_does or generated_shapes or large_images or same_bits or million)" \
		-W "ignore:overflow encountered:RuntimeWarning" -W "ignore:invalid value encountered:RuntimeWarning"
	$(RUN) -m coverage run --append -m pytest --ignore tests/test_tutorials.py --ignore tests/trust
	$(RUN) -m coverage report

mutants: $(READY)  ## change the code in small ways and see whether a test fails each time, some hours
	$(RUN) -m tests.mutation mininet/kernels/momentum.py mininet/kernels/exact.py \
		--tests tests/kernels tests/misuse tests/generated/test_exact_state.py
	$(RUN) -m tests.mutation mininet/reversible mininet/autodiff \
		--tests tests/reversible tests/autodiff tests/generated/test_operations.py tests/misuse tests/test_memory.py

course: $(LAB_READY)  ## open the course in JupyterLab, at its first page
	$(RUN) -m jupyter trust tutorials/*.ipynb
	$(RUN) -m jupyter lab --ServerApp.root_dir=. tutorials/00_the_course.ipynb

site: $(DOCS_READY)  ## write course, guide, reference and results as pages to read without a server: site/index.html
	$(RUN) -m sphinx -c docs -b html -d build/doctrees -j 2 -q --fail-on-warning --keep-going . site
	rm -rf jupyter_execute  # copies of the notebooks' pictures, which are in site too

bench: $(BENCH_READY)  ## time it against PyTorch and the authors' package, about 40 minutes; writes docs/benchmarks.md
	$(RUN) -m benchmarks --write-page --rounds $(ROUNDS)

lint: $(READY) types  ## what the linter and the formatter would change, and what types say
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(READY)  ## strict types: the code, and uses of it right and wrong
	$(RUN) -m mypy

format: $(READY)  ## let them change it
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

notebooks: $(READY)  ## run the tutorials again and keep what they print and draw
	MININET_MINE=build/none/mine.py $(RUN) -m jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False tutorials/*.ipynb

packages: $(READY)  ## build wheel and sdist into dist/, and run the quick tests with each in a new environment
	$(RUN) tools/packages.py

test-requirements: $(READY)  ## the quick tests with the lowest and the newest versions; PYTHONS="python3.11 python3.14"
	for python in $(PYTHONS); do \
		$(RUN) tools/packages.py --only wheel --python $$python || exit 1; \
	done
	$(RUN) tools/packages.py --only wheel --constraint requirements-lowest.txt

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) $(EXTRAS_VENV) build dist results site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "mininet needs Python 3.11 or newer, this is %d.%d; try make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

$(DOCS_READY): $(READY)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(LAB_READY): $(READY)  # without the question whether to get Jupyter's news
	$(RUN) -m jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
	touch $@

$(EXTRAS_READY): pyproject.toml
	$(EXTRAS_PYTHON) -m venv $(EXTRAS_VENV)
	$(EXTRAS_VENV)/$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[torch,mpi,test]'
	$(EXTRAS_VENV)/$(BIN)/python -c 'import torch, mpi4py'  # or the tests would be skipped
	touch $@

$(BENCH_READY): $(READY)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@
