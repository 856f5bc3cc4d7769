# `make help` lists what there is.
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -c
SHELL := /bin/bash

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
# TARGET chooses where on this machine: process (the stack dev) or container, each with a stack of its own.
STACK  ?= $(if $(filter-out process,$(TARGET)),$(TARGET),dev)
FORMAT ?= tree

# The parts that the main job needs; tests add their own.
PARTS      := requirements.txt training/requirements.txt serving_image/requirements.txt engine/requirements.txt operations/requirements.txt
# What a cloud's stack needs besides; the tests need all of them.
CLOUD_PARTS := $(wildcard components/*/requirements.txt)
# What a function's package holds besides the server; the tests run the platforms' own code.
FUNCTION_PARTS := $(wildcard serving_image/functions/*/requirements.txt)
IMAGE_PARTS := operations/requirements-image.txt
SCHEMA_PARTS := operations/requirements-schema.txt
UP_READY   := $(VENV)/.up-ready
IMAGE_READY := $(VENV)/.image-ready
SCHEMA_READY := $(VENV)/.schema-ready
CLOUD_READY := $(VENV)/.cloud-ready
TEST_READY := $(VENV)/.test-ready

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(PY):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 10) else f"$(PYTHON) is Python {v[0]}.{v[1]}; this project needs 3.10 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: python3-venv), or name another with make PYTHON=…"; exit 1; }
	$(PY) -m pip install --quiet --disable-pip-version-check uv

# uv installs in seconds what pip takes a minute for; pip is the way where uv cannot reach the index as pip can. Both
# compile: else every start of a command would, wherever Python is told not to write bytecode.
define install
$(PY) -m uv pip install --quiet --compile-bytecode --python $(PY) $(1) || $(PY) -m pip install --quiet --disable-pip-version-check $(1)
endef

$(UP_READY): $(PARTS) constraints.txt | $(PY)
	@echo "installing what the main job needs into $(VENV) …"
	$(call install,$(addprefix -r ,$(PARTS)))
	touch $@

$(IMAGE_READY): $(IMAGE_PARTS) $(UP_READY)
	@$(call install,$(addprefix -r ,$(IMAGE_PARTS)))
	touch $@

$(CLOUD_READY): $(CLOUD_PARTS) $(UP_READY)
	@echo "installing what stacks on clouds need into $(VENV) …"
	$(call install,$(addprefix -r ,$(PARTS) $(CLOUD_PARTS)))
	touch $@

$(SCHEMA_READY): $(SCHEMA_PARTS) $(CLOUD_READY)
	@echo "installing what the vendors publish into $(VENV) …"
	$(call install,$(addprefix -r ,$(PARTS) $(CLOUD_PARTS) $(SCHEMA_PARTS)))
	touch $@

$(TEST_READY): tests/requirements.txt $(CLOUD_PARTS) $(FUNCTION_PARTS) $(IMAGE_PARTS) $(SCHEMA_PARTS) $(UP_READY)
	@echo "installing what the tests need into $(VENV) …"
	$(call install,$(addprefix -r ,$(PARTS) $(CLOUD_PARTS) $(FUNCTION_PARTS) $(IMAGE_PARTS) $(SCHEMA_PARTS) tests/requirements.txt))
	touch $(CLOUD_READY) $(SCHEMA_READY) $@

setup: $(TEST_READY) ## everything for working on the project

up: $(UP_READY) $(if $(filter container,$(TARGET)),$(IMAGE_READY)) ## train if needed, deploy the stack, print one real prediction (TARGET=container: in the image)
	@$(PY) -m operations up --stack $(STACK)

down: $(UP_READY) ## remove everything the stack made
	@$(PY) -m operations down --stack $(STACK)

preview: $(UP_READY) ## what `make up` would change
	@$(PY) -m operations preview --stack $(STACK)

refresh: $(UP_READY) ## compare the state with what is really there
	@$(PY) -m operations refresh --stack $(STACK)

outputs: $(UP_READY) ## what the stack exports
	@$(PY) -m operations outputs --stack $(STACK)

# The SDKs of all clouds are large: the stacks of this machine are planned without them.
STACK_READY := $(if $(filter dev container,$(STACK)),$(UP_READY),$(CLOUD_READY))

plan: $(STACK_READY) ## what a stack would make, without account or CLI (STACK=aws,gcp FORMAT=tree|json|markdown BASE=<revision> STATE=<file>)
	@$(PY) -m operations plan --stack "$(STACK)" --format "$(FORMAT)" --base "$(BASE)" --state "$(STATE)"

manifests: $(CLOUD_READY) ## the service on a cluster as YAML for kubectl, into build/manifests (STACK=kubernetes)
	@$(PY) -m operations manifests --stack "$(if $(filter dev,$(STACK)),kubernetes,$(STACK))"

rehearse: $(STACK_READY) ## a stack's whole life against a stand-in cloud
	@$(PY) -m operations rehearse --stack "$(STACK)"

verify: $(UP_READY) ## ask a running service for every sample of its release (URL=… VERIFY_ARGS="--release … --contract …")
	@$(PY) -m operations verify "$(URL)" $(VERIFY_ARGS)

monitor: $(UP_READY) ## watch the local stack with Prometheus and Alertmanager, until Ctrl-C
	@$(PY) -m operations monitor --stack $(STACK)

image: $(IMAGE_READY) ## build the serving image (IMAGE_ARGS="--base … --push … --builder …")
	@$(PY) -m operations image $(IMAGE_ARGS)

functions: $(UP_READY) ## build the packages for AWS Lambda, Azure Functions and Google Cloud Functions
	@$(PY) -m operations functions

pulumi: $(UP_READY) ## install the Pulumi CLI into the working tree
	@$(PY) -m operations install-cli

# TensorFlow and PyTorch each have an environment of their own, pinned by a constraints file of their own.
TRAINER ?= forest
ENV_OF_forest :=
ENV_OF_cnn    := .venv-tensorflow/.ready
ENV_OF_torch  := .venv-torch/.ready

train: $(UP_READY) $(ENV_OF_$(TRAINER)) ## train a model and write its next release (TRAINER=forest, cnn or torch)
	@$(PY) -m training train --trainer $(TRAINER) $(TRAIN_ARGS)

env-tensorflow: .venv-tensorflow/.ready ## the environment of the trainer cnn
env-torch: .venv-torch/.ready ## the environment of the trainer torch

.venv-tensorflow/.ready: training/environments/tensorflow.txt training/environments/tensorflow-constraints.txt | $(PY)
	@echo "installing TensorFlow into $(@D) …"
	$(PY) -m uv venv --quiet --allow-existing $(@D) --python $(PY)
	$(PY) -m uv pip install --quiet --compile-bytecode --python $(@D) -r $< -c $(word 2,$^)
	touch $@

.venv-torch/.ready: training/environments/torch.txt training/environments/torch-constraints.txt training/environments/torch.sh | $(PY)
	@echo "installing PyTorch into $(@D) …"
	bash training/environments/torch.sh $(PY) $(@D)
	touch $@

schema: $(SCHEMA_READY) ## hold every input of a stack against what its vendor publishes (STACK=aws FORMAT=tree|json|markdown)
	@$(PY) -m operations schema --stack $(STACK) --format $(FORMAT)

test: $(TEST_READY) ## run the tests (PYTEST_ARGS="-n auto": in several processes)
	@$(PY) -m pytest $(PYTEST_ARGS)

proof: $(TEST_READY) ## run the tests that prove something and write what they proved to docs/proof.md
	@$(PY) -m pytest --proof -m proof $(PYTEST_ARGS) && passed=0 || passed=$$?
	$(PY) -m operations.parity > docs/parity.md
	exit $$passed

check: $(TEST_READY) ## lint, format, types; pages are what their sources say, and their links lead somewhere
	@$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright
	$(PY) -m operations.pages

docs: $(UP_READY) ## write the generated pages anew
	@$(PY) -m spec.reference > docs/service.md
	$(PY) -m spec.capabilities > docs/capabilities.md
	$(PY) -m spec.contracts_page > docs/contracts.md
	$(PY) -m spec.metrics_page > docs/metrics.md
	$(PY) -m operations.parity > docs/parity.md

docs-schema: $(SCHEMA_READY) ## measure the schema checks anew, into docs/schema.md
	@$(PY) -m operations.schema.page

# Each peer has an environment of its own; PEERS=none needs none of them.
BENCH_PEERS := $(notdir $(patsubst %/,%,$(wildcard benchmarks/peers/*/)))
PEERS ?= all

bench-peers: | $(PY) ## install the servers that the benchmark compares with
	@for peer in $(BENCH_PEERS); do
	  echo "installing $$peer …"
	  $(PY) -m uv venv --quiet --allow-existing .venv-bench-$$peer --python $$(test $$peer = pytriton && echo /usr/bin/python3 || echo $(PY))
	  $(PY) -m uv pip install --quiet --compile-bytecode --python .venv-bench-$$peer/bin/python -r benchmarks/peers/$$peer/requirements.txt scikit-learn onnxruntime numpy
	done

bench: $(TEST_READY) ## serving speed beside the peers, into docs/benchmarks.md (PEERS=none: ours and the floor, in a minute)
	@if [ "$(PEERS)" = none ]; then
	  $(PY) -m benchmarks.serving --peers none --rounds 1 --seconds 2 --fresh --record build/bench-ours.json
	else
	  $(PY) -m benchmarks.serving --peers "$(PEERS)" --write
	fi

picture: $(UP_READY) ## run `make up` for real and draw what it prints for the README
	@$(PY) -m operations.picture docs/images/make-up.svg make up

# Clients and servers of others, which the tests of the server talk to: one environment for each file.
TEST_ENVIRONMENTS := $(basename $(notdir $(wildcard tests/environments/*.txt)))

test-environments: $(foreach name,$(TEST_ENVIRONMENTS),.venv-$(name)/.ready) ## foreign clients and servers, for the tests

$(foreach name,$(TEST_ENVIRONMENTS),.venv-$(name)/.ready): .venv-%/.ready: tests/environments/%.txt | $(PY)
	@echo "installing $* …"
	$(PY) -m uv venv --quiet --allow-existing $(@D) --python $(PY)
	$(PY) -m uv pip install --quiet --compile-bytecode --python $(@D)/bin/python -r $<
	touch $@

format: $(TEST_READY) ## let ruff mend what it can
	@$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: | $(PY) ## renew constraints.txt from the requirements files
	@printf '# Written by `make lock`: the exact version of every package, for Python 3.10 and newer.\n' > constraints.new
	sed -e '/^-c /d' -s $(PARTS) $(wildcard */requirements*.txt) $(CLOUD_PARTS) $(FUNCTION_PARTS) | sort -u > .local-requirements.in
	$(PY) -m uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header .local-requirements.in >> constraints.new
	rm .local-requirements.in
	mv constraints.new constraints.txt
	$(MAKE) --no-print-directory image-lock
	for name in tensorflow torch; do
	  { printf '# Written by `make lock`: the exact version of every package in .venv-%s.\n' $$name
	    $(PY) -m uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header training/environments/$$name.txt
	  } > constraints.new
	  mv constraints.new training/environments/$$name-constraints.txt
	done

# The locks with hashes: for the image's Python and platform, within constraints.txt.
LOCK_FOR_IMAGE = $(PY) -m uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --only-binary :all: \
	--generate-hashes --no-annotate --no-header

image-lock: | $(PY) ## renew the image's and the functions' locks from constraints.txt
	@$(LOCK_FOR_IMAGE) serving_image/requirements.txt serving_image/functions/aws_lambda/requirements.txt -o serving_image/requirements.lock
	$(LOCK_FOR_IMAGE) serving_image/installer.txt -o serving_image/installer.lock
	for part in azure_functions cloud_functions; do
	  $(LOCK_FOR_IMAGE) serving_image/requirements.txt serving_image/functions/$$part/requirements.txt -o serving_image/functions/$$part/requirements.lock
	done

.PHONY: help test-environments setup image functions image-lock up down preview refresh outputs plan manifests rehearse monitor pulumi train env-tensorflow env-torch test proof check docs bench bench-peers picture format lock
