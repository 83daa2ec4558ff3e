# Every target makes and reuses .venv by itself; a changed pyproject.toml installs again.
# The system's own Python where it can make environments: distributions build theirs with profile-guided
# optimisation, and the gateway takes a fifth less processor time than with a plain build of the same version
NEW := import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell /usr/bin/python3 -c '$(NEW)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install demo test faults lint format bench bench-peers clean
.DEFAULT_GOAL := install

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "trunkline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/pip || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } || \
	  { echo "python3-venv is missing; installing it"; rm -rf $(VENV); \
	    { apt-get update -q && apt-get install -yq python3-venv; } >&2 && $(PYTHON) -m venv $(VENV); } || \
	  { echo "no virtual environment could be made. As root: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install -q --use-pep517 -e '.[dev]'
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/gateway demo $(ARGS)

# Four at a time whatever the machine: end-to-end tests wait more than they compute. A file's tests share what
# they have started and stay together.
test: $(STAMP)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# the faults of tests/faults, more often than `make test` has them; ARGS="--fault-seed=7" for other moments
faults: $(STAMP)
	$(BIN)/python -m pytest tests/faults -s --fault-rounds=50 $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict gateway simulators

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python benchmarks/codec.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/kit.py A,batch,B,L,C,D,E --if-there $(ARGS)

# Beside Kannel, whose packages the measuring kit installs
bench-peers: $(STAMP)
	$(BIN)/python benchmarks/peers.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
