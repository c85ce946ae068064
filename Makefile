# Development of the collection dfr.continuity. Every target works from a fresh clone on Debian 12 or Ubuntu 24.04,
# as root or with sudo, and reaches no more than the apt, PyPI and npm registries.

RUN := tests/environment/run
PYTEST := $(RUN) python -m pytest --verbose --durations 10
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup images test test-unit test-integration lint sanity molecule demo bench format

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Install the Debian packages and the virtual environment that the other targets need
	@$(RUN) tests/environment/setup

images: setup  ## Build the container images and the Odoo that integration tests need, once
	@$(RUN) python -m ansible_collections.dfr.continuity.tests.environment.prepare

test: images  ## Everything: quality gates, unit tests, integration tests, Molecule (about half an hour)
	$(PYTEST) $(PARALLEL) tests/gates tests/unit tests/integration tests/molecule

test-unit: setup  ## Unit tests (under two minutes)
	$(PYTEST) $(PARALLEL) tests/unit

test-integration: images  ## Tests against real PostgreSQL, Odoo and S3 servers
	$(PYTEST) $(PARALLEL) tests/integration

lint: setup  ## Quality gates, except ansible-test sanity
	$(PYTEST) $(PARALLEL) tests/gates --deselect tests/gates/test_sanity.py

sanity: setup  ## ansible-test sanity
	$(PYTEST) tests/gates/test_sanity.py

molecule: images  ## Roles and playbooks on a systemd test host
	$(PYTEST) tests/molecule

demo: setup  ## See a running Odoo backed up, encrypted, and restored elsewhere, identical
	@$(RUN) python demo/demo.py

bench: setup  ## Compare with restic and with a shell pipeline; prints a table and writes JSON
	@$(RUN) python tests/benchmarks/run.py

format: setup  ## Format the Python files
	@$(RUN) ruff format .
