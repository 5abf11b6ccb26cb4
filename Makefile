# Everything runs in a virtual environment of its own, with the versions that were tested.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE


.PHONY: demo live bench test test-portable lint types format clean

demo: $(VENV)/.installed
	$(BIN)/nasbuild demo --out demo

# The same trained for real: the loop against random search, some minutes.
live: $(VENV)/.installed
	$(BIN)/nasbuild demo --live --out live

# The quick form: every method on small tables, in two minutes.
bench: $(VENV)/.installed
	mkdir -p bench
	$(BIN)/nasbuild bench scores --quick --out bench/scores.json

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadscope

# The same as on older processors, whose vector units sum in another order: without AVX, then with AVX2 at most.
test-portable: $(VENV)/.installed-dev
	ATEN_CPU_CAPABILITY=default DNNL_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem $(BIN)/python -m pytest -n 2 --dist loadscope
	ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -n 2 --dist loadscope

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/basedpyright

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo live bench dist

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
