# Every target sets itself up: a virtual environment in .venv, filled once (stamp files).
# Needed beforehand: Python >= 3.11, make, and a package index that pip can reach.

VENV := .venv
PY := $(VENV)/bin/python
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python
TORCH := torch==2.13.0
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-slow test-llm test-jaxmarl lint types docs bench clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/stamp-demo ## solve games from files and the catalog; train teams that free-ride and teams that share
	$(PY) examples/solve_files.py
	$(PY) -m marl train --env kitchen --algo ippo --seeds 4 --steps 2e6 --out build/demo/ippo
	$(PY) -m marl train --env kitchen --algo srpo --seeds 4 --steps 2e6 --out build/demo/srpo
	$(PY) -m marl crossplay build/demo/ippo build/demo/srpo --episodes 16 --out build/demo/kitchen
	$(PY) -m marl report build/demo/kitchen

test: $(VENV)/stamp-dev ## the default test suite (PYTEST_ARGS="-k nfg" narrows it)
	$(PY) -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(PYTEST_ARGS)

test-slow: $(VENV)/stamp-dev ## the tests left out by default: minutes each
	HYPOTHESIS_PROFILE=slow $(PY) -m pytest -m slow --numprocesses=auto --maxprocesses=4 --dist=worksteal $(PYTEST_ARGS)

test-llm: $(VENV)/stamp-llm ## the tests of language-model debate; installs torch (gigabytes)
	$(PY) -m pytest tests/llm $(PYTEST_ARGS)

test-jaxmarl: $(VENV)/stamp-jaxmarl ## the tests of Tag, Hanabi, Overcooked; installs JaxMARL (fifty packages)
	$(PY) -m pytest tests/marl/test_marl_jaxmarl.py $(PYTEST_ARGS)

lint: $(VENV)/stamp-dev ## ruff: rules and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/stamp-dev ## mypy over the whole tree
	$(PY) -m mypy

docs: $(VENV)/stamp-docs ## the documentation, strictly, into build/docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict --clean
	@echo "documentation: build/docs/index.html"

bench: $(VENV)/stamp-dev ## the benchmark tables: beside Gambit, large games, start-up (many minutes)
	$(PY) -m benchmarks.peers
	$(PY) -m benchmarks.large
	$(PY) -m benchmarks.proof
	$(PY) -m benchmarks.startup
	$(PY) -m benchmarks.batch
	$(PY) -m benchmarks.nash_enumeration
	$(PY) -m benchmarks.marl_speed

clean: ## remove everything that these targets made, .venv included
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for candidate in $(PYTHONS); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "rqe needs Python >= 3.11; tried: $(strip $(PYTHONS))." >&2; \
	  echo "Name yours with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; \
	fi; \
	echo "creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "python -m venv failed; on Debian and Ubuntu install the package python3-venv." >&2; \
	  exit 1; \
	}

$(VENV)/stamp-demo: pyproject.toml | $(PY)
	@echo "installing rqe and what the demo needs into $(VENV) (once)"
	@$(PIP_INSTALL) --editable '.[plot,marl]'
	@touch $@

$(VENV)/stamp-dev: pyproject.toml | $(PY)
	@echo "installing rqe, its test oracles and the developers' tools into $(VENV) (once)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

$(VENV)/stamp-llm: pyproject.toml $(VENV)/stamp-dev | $(PY)
	@echo "installing torch and transformers into $(VENV) (once)"
	@$(PIP_INSTALL) '$(TORCH)'
	@$(PIP_INSTALL) --editable '.[dev,llm]'
	@touch $@

$(VENV)/stamp-jaxmarl: pyproject.toml $(VENV)/stamp-dev | $(PY)
	@echo "installing JaxMARL, and MPE2 as the oracle of its physics, into $(VENV) (once)"
	@$(PIP_INSTALL) --editable '.[dev,jaxmarl]' mpe2 onnx
	@touch $@

$(VENV)/stamp-docs: pyproject.toml | $(PY)
	@echo "installing the documentation tools into $(VENV) (once)"
	@$(PIP_INSTALL) --editable '.[docs]'
	@touch $@
