# Two commands matter: `make drill` and `make test`. Each installs whatever it needs, says what it is doing, can be
# interrupted and started again, and takes down what it put up. The rest are the pieces they are made of.
SCENARIO ?= region-loss
TIMINGS ?= compressed
MINUTES ?= 5

.DEFAULT_GOAL := help
.PHONY: help drill soak test unit mutants lint preview refusals drift bench bench-replication lab lab-down secrets-check curl-check bootstrap clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' Makefile

drill: node_modules ## two regions on this machine: deploy, fail over (SCENARIO=; all; data, TIMINGS=compressed|production, RUNTIMES=node,python,java), measure, fail back
	@lab/session drill "$(SCENARIO)" "$(TIMINGS)" "$(RUNTIMES)"

soak: node_modules ## random faults, several at once, for MINUTES=5 under clients (SEED= repeats); every write held to the lease
	@lab/session soak "$(MINUTES)" "$(SEED)"

bench: node_modules ## direct against through edge and gateway, in the lab
	@lab/session bench

bench-replication: node_modules ## ours against full snapshots and against scrolling, on the wire (N=points, QDRANT_BIN=, JSON=file)
	@npx ts-node --transpile-only bench/replication/main.ts --points "$(or $(N),200000)" $(if $(JSON),--json "$(JSON)")

test: node_modules ## every test: lint, unit, engine, conformance, and the lab's
	@npx ts-node --transpile-only tools/test.ts

unit: node_modules ## only the tests that need neither root nor the engine
	@npx jest

mutants: node_modules ## take each rule of the lease away in turn, and list what notices: the search, the simulation
	@npx ts-node --transpile-only agent/lease/exhaustive/mutants.ts

lint: node_modules ## eslint, prettier, types, import directions, workflows
	@npx eslint . && npx prettier --check . && npx tsc --noEmit && npx ts-node --transpile-only tools/check-imports.ts && npx ts-node --transpile-only tools/lint-workflows.ts

preview: node_modules ## plan, policies, budgets and cost: of the stacks that differ (SINCE=REF), of STACKS=..., or PLATFORM=aws: of an example, without an account
	@if [ "$(PLATFORM)" = aws ]; then npx ts-node --transpile-only lab/aws/preview.ts; \
	else npx ts-node --transpile-only tools/preview/main.ts $(if $(SINCE),--since "$(SINCE)") $(STACKS); fi

refusals: node_modules ## what a preview on AWS says to settings that it refuses; without an account
	@npx ts-node --transpile-only lab/aws/refusals.ts

drift: node_modules ## is what is deployed still what the stacks say? (STACKS=...)
	@npx ts-node --transpile-only tools/preview/main.ts --drift $(STACKS)

lab: node_modules ## bring the lab up, deploy the three stacks and leave it running
	@lab/session up "$(TIMINGS)"

lab-down: ## take the lab down; leaves nothing behind but the cache
	@lab/lab down

secrets-check: ## look for secrets in the clear: exported state, journals, process lists, world-readable disk
	@lab/session secrets

curl-check: ## a completion and a Qdrant search through the service name over TLS, with curl
	@lab/session curl

bootstrap: node_modules ## only the pinned toolchain: engine, plugins, object store
	@npx ts-node --transpile-only tools/bootstrap.ts all

clean: ## take the lab down and remove what was built here
	@if [ -e .cache/lab ]; then lab/lab down; fi
	rm -rf dist .cache/lab coverage

node_modules: package-lock.json
	@echo "installing the pinned npm packages"
	@npm ci --no-fund --no-audit --loglevel=error
	@touch node_modules
