# Everything a newcomer needs: `make demo`, `make test`. Python 3.11+, pip and make are enough.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

.PHONY: demo test check lint format browser clean

demo: .venv/installed
	$(BIN)/rsloader demo

test: .venv/installed browser
	$(BIN)/pytest

# The wheel is what gets tested, so it is built and installed, never linked to the checkout.
.venv/installed: constraints.txt pyproject.toml $(shell find rsloader_provider dags -type f -not -name '*.pyc')
	test -x $(UV) || { $(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt uv; }
	rm -rf dist && $(UV) build -q --wheel
	$(UV) pip install -q --python $(BIN)/python -c constraints.txt "$$(ls dist/*.whl)[local,dev]"
	$(UV) pip install -q --python $(BIN)/python --no-deps --reinstall "$$(ls dist/*.whl)"
	touch $@
