# What the README promises: `make demo` and `make test` need Python 3.11+ and nothing else typed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
POLICY ?= booking

.PHONY: demo test coverage check sbom bench faults docs lock httpbin clean

demo: $(READY)
	$(BIN)/fairuse demo --policy $(POLICY) $(DEMO)

test: $(READY)
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal $(TEST)

# Tracing makes the tests take twice as long, so it is a run of its own.
coverage: $(READY)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses=3 --dist=worksteal $(TEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/fairuse check
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

# What the lock holds, as a CycloneDX bill of materials.
sbom: $(READY)
	$(BIN)/python -m tests.sbom fairuse.cdx.json

bench: $(READY)
	@$(BIN)/python -m bench $(BENCH)

faults: $(READY)
	@$(BIN)/python -m tests.faults $(FAULTS)

docs: $(READY)
	$(BIN)/mkdocs build --strict --quiet

# The lock holds hashes and no index address; every platform and Python from 3.11 on is in it. What
# is younger than a week is left out: a hijacked release is found out by then.
WEEK_AGO = $(shell $(PYTHON) -c "from datetime import *; print((datetime.now(UTC) - timedelta(7)).isoformat())")

lock:
	uv pip compile --exclude-newer $(WEEK_AGO) --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --upgrade --quiet -o tests/hop/httpbin.lock tests/hop/httpbin.in
	uv pip compile --exclude-newer $(WEEK_AGO) --universal --python-version 3.11 --generate-hashes --all-extras \
		--no-header --no-annotate --upgrade --quiet -o requirements.lock pyproject.toml

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# A real API to compare with; it wants other versions of what the tests have.
httpbin: .httpbin/.ready

.httpbin/.ready: tests/hop/httpbin.lock
	$(PYTHON) -m venv .httpbin
	.httpbin/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/hop/httpbin.lock
	touch $@

clean:
	rm -rf $(VENV) .httpbin .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache site dist
