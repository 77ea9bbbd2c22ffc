# In this order on a fresh clone: make demo, make test, make check.
#
# make demo      the quickstart recipe over the bundled art
# make demo-train   a minute's training of each family on what that made, compared: to see that all works
# make test      every test but those marked slow
# make test-slow every test, as CI runs them
# make torture   hundreds of kills, full disks, Ctrl-Cs and links: an hour or more; disks take root
# make gpu       what only a GPU can show; GPU_PYTHON: a Python with a CUDA build of torch
# make shape     the shape of the code by figures: rooms, arrows, lengths of files, functions and lines
# make check     lint, format, types, import contracts

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo demo-train test test-slow torture gpu check shape format readme bench clean

FAMILIES := autoencoder gan diffusion
GPU_PYTHON ?= $(BIN)/python

demo: $(READY)
	$(BIN)/anidata run quickstart demo sample:

demo-train: demo
	for family in $(FAMILIES); do \
		$(BIN)/anidata train-baseline $$family demo/dataset demo/runs/$$family --preset smoke || exit; \
	done
	$(BIN)/anidata evaluate $(FAMILIES:%=demo/runs/%) --data demo/dataset -o demo/report

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2

torture: $(READY)
	$(BIN)/python benchmarks/torture.py

gpu: $(READY)
	$(GPU_PYTHON) -m pytest -m gpu -rs tests/training/test_gpu.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

shape: $(READY)
	$(BIN)/python benchmarks/shape.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The virtual environment, made anew when what it installs changes.
# constraints.txt holds torch to its CPU build here alone.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,train]'
	touch $@

clean:
	rm -rf .venv demo

# The README's table of plugins, from their own docstrings.
readme: $(READY)
	$(BIN)/python tests/ground/test_readme.py

# Speed and size beside their references, in one run on an idle machine.
bench: $(READY)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/fetch.py
