# `make demo` and `make test` are all that a newcomer needs, on a machine with Python 3.11+, pip and make; `make quick` is
# for those who change something.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
SOURCES := airflow_provider_rsloader.py $(shell find rsloader_provider dags -type f -not -name '*.pyc')

# Nothing is imported from the checkout unless it is asked for: what is tested and shown is the wheel.
export PYTHONSAFEPATH := 1

.PHONY: demo test quick check lint types contracts format docs bench drivers psql browser clean
.PHONY: versions crash-matrix mutation-check interleavings network-matrix scale stateful soak airflow-kills

demo: .venv/installed
	$(BIN)/rsloader demo

test: .venv/installed browser
	$(MAKE) --no-print-directory -j 2 check
	$(BIN)/pytest -n 2 --no-loadscope-reorder

# After each change, in a minute or so: the checkout, without a wheel and without Airflow. An absolute path, so that processes
# which tests start elsewhere find the checkout too.
quick: .venv/environment
	$(MAKE) --no-print-directory -j 2 check
	PYTHONPATH=$(CURDIR) $(BIN)/pytest -n 2 -m "not slow" tests/unit tests/contract tests/docs

check: lint types contracts

lint: .venv/environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/environment
	$(BIN)/mypy

contracts: .venv/environment
	$(BIN)/lint-imports --no-logo

format: .venv/environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The reference of settings and commands, from the models and the commands themselves; a test compares it.
docs: .venv/installed
	$(BIN)/python docs/generate.py

bench: .venv/installed
	$(BIN)/python benchmarks/parsing.py
	$(BIN)/python benchmarks/local_redshift.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/import_lambda.py
	$(BIN)/python benchmarks/imports.py

# The wheel beside each Airflow that people run, in an environment for each below .venv/versions; writes docs/versions.md.
# Some of them, on other Pythons, one at a time: make versions VERSIONS="2.11.2 3.0.6" PYTHONS="3.11 3.12" JOBS=1
versions: .venv/installed
	PYTHONPATH=tests $(BIN)/python -m versions dist/*.whl $(if $(VERSIONS),--airflow "$(VERSIONS)") \
	  $(if $(PYTHONS),--python "$(PYTHONS)") $(if $(JOBS),--jobs $(JOBS))

# Stop the loader at every step, take it up again in every way; writes docs/crash-matrix.md. `make crash-matrix DATE=2026-01-31`
# writes the date as well.
crash-matrix: .venv/installed
	PYTHONPATH=tests $(BIN)/python -m crash.matrix $(if $(DATE),--date $(DATE))

# Take one safeguard after the other out of a copy of the loader: a cell of the matrix, an interleaving or a test must fail
# each time. In a minute or two those that the matrix does not judge: make mutation-check MUTATIONS=--no-cells
mutation-check: .venv/installed
	PYTHONPATH=tests $(BIN)/python -m mutations $(if $(DATE),--date $(DATE)) $(MUTATIONS)

# Two and three actors in every order of their calls, up to the bounds that tests/interleavings/__init__.py states. One of
# them: make interleavings INTERLEAVINGS="--scenario 'two runs buffer'"; a hole is printed with what plays it again.
interleavings: .venv/installed
	PYTHONPATH=tests $(BIN)/python -m interleavings $(INTERLEAVINGS)

# Every kind of fault with every call to AWS, with one and with two targets; `make test` runs the part that matters most.
network-matrix: .venv/installed
	$(BIN)/pytest tests/network/whole_matrix.py

# 100,000 objects in little memory; `make test` takes 10,000.
scale: .venv/installed
	$(BIN)/pytest tests/on_local_stack/whole_scale.py

# Ten thousand stories of concurrent workers, people and accidents that no run has told before.
stateful: .venv/installed
	$(BIN)/pytest --timeout 1800 tests/stateful/new_stories.py

# Objects arrive for ten minutes while the processes that load them are killed at random; then everything is counted.
# A short one: make soak SOAK="--objects 2000 --minutes 1 --interval 20 --kill-every 5"
soak: .venv/installed
	$(BIN)/python tests/soak/run.py $(SOAK)

# Airflow's own processes are killed, hung, and its database is restored to yesterday; a part of it is in `make test`.
airflow-kills: .venv/installed
	$(BIN)/pytest tests/end_to_end/test_airflow_kills.py tests/end_to_end/airflow_kills.py

# Strangers' programs against the local Redshift: each driver in a throw-away environment below .venv/drivers, with the
# packages that its list in tests/drivers names. Prints a table of driver and result.
drivers: .venv/installed psql
	$(BIN)/python tests/drivers/run.py

# One of those programs; where apt-get cannot install it, the table says that it is missing.
psql:
	@command -v psql >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql-client >/dev/null || true; \
	fi

# The tests look at Airflow's pages in a browser; where apt-get cannot install one, those tests say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	fi

# What the package needs, and what checks and tests it.
.venv/environment: constraints.txt pyproject.toml
	test -x $(UV) || { $(PYTHON) -m venv .venv && \
	  $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt uv; }
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -r pyproject.toml \
	  --extra local --extra compose --extra dev
	touch $@

# The package itself, as people install it.
.venv/installed: .venv/environment README.md $(SOURCES)
	rm -rf dist && $(UV) build --quiet --wheel
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --reinstall dist/*.whl
	touch $@

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache screenshots
