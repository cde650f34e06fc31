# Two commands set everything up: `make serve` and `make test`. CONTRIBUTING.md has the rest.

PYTHON ?= python3.11
# `make serve TORCH_BACKEND=cpu` takes the small CPU build of torch, where PyTorch's own index can
# be reached; the default is the build of the ordinary package index, which brings CUDA libraries.
TORCH_BACKEND ?=

VENV := .venv
BIN := $(VENV)/bin
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
	$(if $(TORCH_BACKEND),--torch-backend $(TORCH_BACKEND))

# What is asked of a library in a SQLite file and of one in PostgreSQL alike.
LIBRARY_TESTS := answer_log answer_records answer_statistics audit_log authentication \
	conversation_records conversations filing housekeeping ingest jobs keys library statistics

.PHONY: serve test test-cluster check install format lock audit fuzz lint-deploy evaluate report load scaling clean

serve: $(VENV)/.serving
	$(BIN)/kildesvar prepare
	$(BIN)/kildesvar ingest --if-empty examples
	$(BIN)/kildesvar serve

test: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	scripts/ensure_programs
	scripts/ensure_openai_client
	$(BIN)/python -m scripts.audit --sbom build/sbom.json
	$(BIN)/python -m scripts.fetch_test_model
	$(BIN)/pytest --numprocesses 2 --dist loadfile

# The tests that ask a real OpenSearch cluster and PostgreSQL, which they start themselves.
test-cluster: $(VENV)/.developing
	scripts/ensure_cluster_programs
	$(BIN)/pytest -m cluster
	$(BIN)/pytest --database postgresql $(LIBRARY_TESTS:%=tests/test_%.py)

install: $(VENV)/.developing

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

$(VENV)/.serving: $(BIN)/uv pyproject.toml constraints.txt
	$(UV_INSTALL) --editable '.[prepare]'
	touch $@

$(VENV)/.developing: $(BIN)/uv pyproject.toml constraints.txt
	$(UV_INSTALL) --editable '.[prepare,dev]'
	touch $@ $(VENV)/.serving

# Vulnerabilities as far as a service can be reached, licences, and the SBOM of what is served.
audit: $(VENV)/.developing
	$(BIN)/python -m scripts.audit --sbom build/sbom.json

# Sends made-up requests and files for some minutes each; a few of them are in the tests.
fuzz: $(VENV)/.developing
	$(BIN)/kildesvar prepare
	$(BIN)/python -m scripts.fuzz_api
	$(BIN)/python -m scripts.fuzz_parsers

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins every package anew, at the newest versions that pyproject.toml allows.
lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
		--no-header --no-annotate --output-file constraints.txt pyproject.toml
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" >> constraints.txt

# Lints the Dockerfile and docs/deploy, with those of the tools that are here.
lint-deploy: install
	scripts/lint_deploy

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Asks the example questions and prints how well they are answered; docs/evaluation.md has more.
evaluate: $(VENV)/.serving
	$(BIN)/kildesvar prepare
	$(BIN)/python -m scripts.evaluate tests/questions/examples.jsonl examples

# Writes the figures of docs/evaluation.md; SHARED is the folder of NorQuAD and the questions.
report: $(VENV)/.developing
	$(UV_INSTALL) --editable '.[prepare,dev,report]'
	$(BIN)/kildesvar prepare
	$(BIN)/python -m scripts.report $(SHARED)

# Writes the figures of docs/scaling.md; it takes hours, 4 GB of memory and 30 GB of disk, and Java.
scaling: $(VENV)/.developing
	$(UV_INSTALL) --editable '.[prepare,dev,report]'
	$(BIN)/kildesvar prepare
	$(BIN)/python -m scripts.benchmark_scaling local
	$(BIN)/python -m scripts.benchmark_scaling opensearch
	$(BIN)/python -m scripts.benchmark_scaling library
	$(BIN)/python -m scripts.benchmark_scaling draw

load: $(VENV)/.developing
	$(UV_INSTALL) --editable '.[prepare,dev,report]'
	$(BIN)/kildesvar prepare
	$(BIN)/python -m scripts.load --soak $(or $(SOAK),0)
