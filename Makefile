.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
RUN := .run
PIP_COMPILE := $(RUN)/lock/bin/pip-compile -q --allow-unsafe --generate-hashes --strip-extras \
	--no-emit-find-links --no-emit-index-url --no-emit-trusted-host
SERVICES := identity catalog booking wallet payout gateway

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q services shared demo tests  # each process compiles them again where none may be written
	@touch $@
	@echo "installed in .venv; \`make help\` lists what you can do with it"

install: .venv/installed ## creates the virtual environment in .venv

run: install ## runs the whole platform in one process, on SQLite; Ctrl-C stops it (LOG_LEVEL=info logs each request)
	@DEMO=$${DEMO:-1} LOG_LEVEL=$${LOG_LEVEL:-warning} $(BIN)/passculture run

demo: install ## plays the founding document's story on a simulated clock; writes its files to demo-output/
	@$(BIN)/python -m demo

up: install ## starts one process per service, with DATABASE_URL and AMQP_URI
	@$(BIN)/python -m deploy.local up

down: install ## stops the processes of `make up`
	@$(BIN)/python -m deploy.local down

test: install ## runs unit, contract, property and system tests (embedded), and a short integration level if the servers run
	@$(BIN)/python -m tests.levels

test-all: install ## runs every level; needs RabbitMQ and PostgreSQL
	@$(BIN)/python -m tests.levels --all

bench: install ## measures throughput and latency in both modes, on an idle machine; writes docs/benchmarks.md
	@$(BIN)/python -m tests.bench --report docs/benchmarks.md

chaos: install ## makes ten thousand bookings while processes are killed and servers fail; writes docs/reliability.md
	@$(BIN)/python -m pytest tests/chaos --long --report docs/reliability.md

mutation: install ## changes the rules of prices, wallet and bookings in hundreds of places, each of which a unit test must notice; writes docs/mutation.md
	@$(BIN)/python -m tests.mutation --report docs/mutation.md

check: install ## runs ruff, mypy, the import contracts and the check of generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.generate --check

docs: install ## generates the documents of interface, messages, calls and settings, and the picture in README.md
	@$(BIN)/python -m docs.generate

lock: ## locks all packages with hashes: for development, and the subsets that run and that build
	@$(PYTHON) -m venv $(RUN)/lock
	@$(RUN)/lock/bin/pip install -q --disable-pip-version-check pip-tools==7.6.2
	@$(PIP_COMPILE) --extra=dev -o requirements-dev.lock pyproject.toml
	@$(PIP_COMPILE) -c requirements-dev.lock -o requirements.lock pyproject.toml
	@$(PIP_COMPILE) -c requirements-dev.lock --only-build-deps --all-build-deps -o requirements-build.lock pyproject.toml

.PHONY: help install lock run demo up down test test-all bench chaos mutation check docs
