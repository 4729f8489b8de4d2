# What the project can do. The first target lists the others.
#
# Every target makes .venv and installs what it needs by itself, with the versions that constraints.txt pins.
# PYTHON names another interpreter (3.11 or newer), JOBS the number of test processes, ARGS passes options on:
#
#     make demo ARGS="--seed 1"        make test ARGS="tests/clustering -x"        make PYTHON=python3.12 test

PYTHON ?= python3
JOBS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Scopes in the order of their names: sorted by their number of tests, the long ones would come last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

# Extras of pyproject.toml that a target needs.
EXTRAS_demo := synthesis
EXTRAS_test := test
EXTRAS_lint := lint,test
EXTRAS_docs := docs,synthesis
EXTRAS_benchmark := benchmark
EXTRAS_fuzz := fuzz
EXTRAS_all := captum,cluster,synthesis,notebooks,test,lint,docs,benchmark,fuzz

.PHONY: help install demo demo-check test test-all lint docs benchmark fuzz constraints clean
# Two installations into one environment must not run at once.
.NOTPARALLEL:

help:
	@echo "make install      .venv with every extra"
	@echo "make demo         the whole way on synthetic speech; look at demo/report.html"
	@echo "make demo-check   two minutes of it, which fail if the network recognises too little"
	@echo "make test         every test but the long campaigns, on $(JOBS) processes"
	@echo "make test-all     the long campaigns too"
	@echo "make lint         style, types, floors"
	@echo "make docs         docs/_build/html"
	@echo "make benchmark    how fast profiles are computed"
	@echo "make fuzz         ten minutes of broken files for the readers of corpora"
	@echo "make constraints  pin what is installed in .venv"
	@echo "make clean        remove all that these targets made"

install: $(VENV)/.installed-all $(VENV)/.installed-oracles

demo: $(VENV)/.installed-demo
	$(BIN)/snaps reproduce --scale demo --out demo $(ARGS)

# With all threads: this is a training, and not many small tests.
demo-check: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m demonstration -p no:xdist tests/papers/test_demonstration.py $(ARGS)

test: $(VENV)/.installed-test $(VENV)/.installed-oracles
	$(PYTEST) -m "not campaign and not demonstration" $(ARGS)

test-all: $(VENV)/.installed-test $(VENV)/.installed-oracles
	$(PYTEST) $(ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -b html $(ARGS) docs docs/_build/html

benchmark: $(VENV)/.installed-benchmark
	$(BIN)/python -m benchmarks.throughput --where $(ARGS)
	$(BIN)/python -m benchmarks.scaling --out benchmarks/out

fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python -m fuzzing.readers --seconds 600 $(ARGS)

# The project itself is no line of its own list; a build for one kind of hardware (+cpu) is none for another.
constraints: $(VENV)/.installed-all
	$(BIN)/python -m pip freeze --exclude-editable --exclude zennit | sed 's/+.*//' > constraints.txt

clean:
	rm -rf $(VENV) demo build dist docs/_build docs/api/generated fuzzing/out
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %d.%d; name another: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	touch $@

# One stamp for every set of extras: installed once, and again when the lists change.
$(VENV)/.installed-%: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS_$*)]"
	touch $@

# Libraries that tests compare with. They would draw in others that are not needed, some of them large.
$(VENV)/.installed-oracles: $(VENV)/.made tests/oracles.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --constraint constraints.txt --requirement tests/oracles.txt
	touch $@
