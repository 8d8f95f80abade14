# `make` alone lists what there is. Everything works from a fresh clone: each target makes .venv first
# if it is missing or the lock has changed (scripts/setup).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup servers check fix test demo demo-protocols bench bench-growth bench-mappings chaos conformance mutation requirements golden wheel lock clean

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
ARGS ?=
# Tests start many processes: where this is set, each would compile the whole hub for itself.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv with the locked dependencies (all others do this when needed)
	@scripts/setup

demo: setup ## See it work: one family's episode through the hub, in under a minute
	@$(BIN)/ecaf demo $(ARGS)

servers: ## Install the servers that tests start privately (all that need them do this)
	@scripts/test-servers

test: setup servers ## The whole suite, with a real RabbitMQ and PostgreSQL (ARGS="-k consent" for a part)
	$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

check: setup ## Format, lint, types, arrows: what a change must pass besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check

fix: setup ## Format, and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo-protocols: setup ## The same family, each system on a protocol of its own: real RabbitMQ, NHS England's MESH sandbox
	@scripts/test-servers broker mesh
	@$(BIN)/python -m tests.servers --broker --mesh -- $(BIN)/ecaf scenario run tests/acceptance/scenarios/s1.yaml \
		--protocols tests/acceptance/protocols/s1.yaml --broker {broker} --mesh {mesh} --out demo-protocols-out $(ARGS)

bench: setup servers ## Measure beside the peers, in one run (tests/bench/README.md)
	@scripts/faststream
	$(BIN)/python -m tests.bench $(ARGS)

bench-growth: setup ## What a message costs when store, partners or index are large (ARGS="--stored 1000000")
	$(BIN)/python -m tests.bench.growth $(ARGS)

bench-mappings: setup ## What mappings cost, beside hand-made work (ARGS=--peers for others' mappings)
	$(BIN)/python -m tests.bench.mappings $(ARGS)

chaos: setup servers ## Kill, cut and empty things twenty times over; nothing may be lost
	$(PYTEST) -m slow --timeout=7200 -p no:logging $(ARGS)
	ECAF_TEST_FAULTED=10000 $(PYTEST) --timeout=7200 -p no:logging tests/property/test_faulted_consent.py tests/property/test_statutory_under_faults.py

mutation: setup ## Change the consent core and the gate line by line: does a test notice? (ARGS="--changed-since main")
	$(BIN)/python -m tests.mutation $(ARGS)

conformance: setup ## Other people's validators over what the hub writes (Java, Maven, Node, xmllint)
	$(BIN)/python -m tests.conformance $(ARGS)

requirements: setup ## The requirements with their proofs, and the open ones
	@$(BIN)/python -m tests.acceptance.requirements $(ARGS)

golden: setup ## Rewrite the expected outputs of the mapping cases; review the difference like code
	$(BIN)/ecaf test --write $(ARGS)

wheel: setup ## Build dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: ## Choose versions anew from pyproject.toml and write the locks (ARGS=--upgrade for newer ones)
	scripts/lock $(ARGS)

clean: ## Remove everything that was made here
	rm -rf .venv .venv-mesh-sandbox .venv-schemathesis .venv-faststream .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist demo-out demo-protocols-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
