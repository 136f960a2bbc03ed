# Everything a developer runs. Needs git, Python 3.11 or later and make; the rest is installed here, under .venv and .local.
.DEFAULT_GOAL := help
.PHONY: help install lock run test test-fast resilience soak openapi bench lint scripts format types imports conformance package screenshots azure-cli check clean

# The first Python that is new enough; `make PYTHON=python3.13 …` names another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OPENAPI_VENV := .local/venv-openapi
CONFORMANCE := ../shared/conformance/run.sh
ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Set up: virtual environment, pinned packages, Azurite
	@$(BIN)/python -m scim.local_host.azurite

$(INSTALLED): requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or later is needed, and '$(or $(PYTHON),python3)' is not: install one, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Creating $(VENV) with $(PYTHON) ..."; \
		"$(PYTHON)" -m venv --clear $(VENV) >/dev/null 2>&1 \
		|| { echo "$(PYTHON) cannot create a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }; }
	@echo "Installing the pinned Python packages ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -r requirements.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -r requirements-dev.txt
	@touch $@

run: install ## Start the service and its storage on this machine, keeping the data in .local
	@$(BIN)/python -m scim.local_host $(ARGS)

test: install ## Run the whole suite, with its own Azurite in memory
	@$(BIN)/python -m pytest $(ARGS)

test-fast: install ## Run the suite without the tests that take minutes
	@$(BIN)/python -m pytest -m "not slow and not exhaustive" $(ARGS)

lint: $(INSTALLED) ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

scripts: $(INSTALLED) ## Check shell scripts and workflows
	@$(BIN)/shellcheck .ci/run infra/*.sh
	@if [ -x $(BIN)/actionlint ]; then $(BIN)/actionlint -shellcheck $(BIN)/shellcheck .github/workflows/*.yml; \
	else echo "Workflows are not checked: there is no actionlint for this system"; fi

format: $(INSTALLED) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(INSTALLED) ## Check the types
	@$(BIN)/mypy

imports: $(INSTALLED) ## Check that packages import in one direction only
	@$(BIN)/lint-imports

check: lint scripts types imports test ## Run every check and the suite

resilience: install ## Fail storage at every call of every write, kill processes between transactions: every case
	@$(BIN)/python -m pytest -m "" tests/resilience $(ARGS)

soak: install ## Five minutes of random writes under kills, faults and wrong clocks; SCIM_SOAK_SECONDS=60 for less
	@SCIM_SOAK_SECONDS=$${SCIM_SOAK_SECONDS:-300} $(BIN)/python -m pytest -m "" tests/resilience/test_soak.py $(ARGS)

bench: install ## Measure the service beside scim2-server; ARGS=--quick for a minute, --users 100000 for size alone
	@$(BIN)/python -m benchmarks $(ARGS)

conformance: install ## Run the public SCIM checks of ../shared/conformance, where they are
	@if [ -f $(CONFORMANCE) ]; then $(BIN)/python -m scim.local_host.public_checks $(CONFORMANCE) $(ARGS); \
	else echo "The public SCIM checks are not here: $(CONFORMANCE) is missing"; fi

$(OPENAPI_VENV)/.installed: requirements-openapi.txt | $(INSTALLED)
	@$(BIN)/python -m venv $(OPENAPI_VENV)
	@$(OPENAPI_VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet -r requirements-openapi.txt
	@touch $@

openapi: install $(OPENAPI_VENV)/.installed ## Try the management API against its OpenAPI document, for a minute
	@$(BIN)/python -m scim.local_host.started_host \
		$(BIN)/python -m tests.openapi.furnish '{api_url}' '{api_key}' '{organization_id}' '{tenant_url}' '{token}' \
		$(OPENAPI_VENV)/bin/schemathesis --config-file tests/openapi/schemathesis.toml \
		run '{api_url}/openapi.json' --header 'Authorization: Bearer {api_key}' --max-time 50 $(ARGS)

lock: ## Write requirements.txt, with hashes, from requirements.in; ARGS=--upgrade takes newer packages of packages
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate \
		--custom-compile-command "make lock" requirements.in --output-file requirements.txt $(ARGS)

package: $(INSTALLED) ## Build dist/functions.zip, exactly what is deployed
	@$(BIN)/python -m scim.local_host.deployment_package dist/functions.zip

# In an environment of its own: its 150 packages pin others than ours. The test of its command lines uses it.
azure-cli: $(INSTALLED) ## Install the Azure CLI under .local (0.7 GB), to check the command lines of the deployment
	@$(BIN)/python -m venv .local/venv-azure-cli
	@.local/venv-azure-cli/bin/python -m pip install --disable-pip-version-check --no-input --quiet azure-cli==2.91.0

screenshots: install ## Write a picture of each page of the portal to docs/images; needs Chromium
	@$(BIN)/python -m tests.pages.screenshots

clean: ## Remove what was built and installed; data and secrets in .local stay
	@rm -rf $(VENV) .local/azurite .local/venv-* .local/stage dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
