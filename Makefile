# `make` lists the targets. The web client is built before the gateway, which
# embeds it; both only when something changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

WEB_FILES := $(shell find web -name node_modules -prune -o -name dist -prune -o -type f -print 2>/dev/null)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
DATE := $(shell git log -1 --format=%cI 2>/dev/null)

##@ Use it
.PHONY: run
run: web/dist/index.html ## Build everything and serve on the embedded database
	cargo build --bin gateway
	@printf '\n  Open http://%s and make an account (Ctrl-C ends it)\n\n' "$${PARLEY_LISTEN:-127.0.0.1:8080}"
	@exec $(TARGET)/debug/gateway serve

.PHONY: demo
demo: web/dist/index.html ## Fill the embedded database with a team's conversations
	cargo run --bin gateway -- demo

.PHONY: build
build: web/dist/index.html ## Make the release binary, web client inside
	BUILD_REVISION=$(REVISION) BUILD_DATE=$(DATE) cargo build --release --locked --bin gateway
	@ls -lh $(TARGET)/release/gateway

##@ Work on it
.PHONY: test
test: ## Run all tests; T=name runs those whose name contains it
	@tests/run $(T)

.PHONY: bench
bench: $(if $(GATEWAY),,build) ## Measure beside raw baselines: FIGURE=4 SHORT=1 GATEWAY=file
	@loadtest/run "$(or $(GATEWAY),$(TARGET)/release/gateway)" "$(or $(PROFILE),release)" \
	  "$(FIGURE)" "$(SHORT)"

.PHONY: bench-web
bench-web: web/dist/index.html ## Measure the web client in a browser: switching, arrival, scrolling
	cargo build --locked --bin gateway
	cd web && PARLEY_GATEWAY_BIN=$(abspath $(TARGET))/debug/gateway npm run --silent bench

.PHONY: loadtest
loadtest: ## A smoke test and two minutes of load on replicas of its own, with a report
	@loadtest/k6/local

.PHONY: check
check: ## Formatting, lints, dependencies, generated files
	@tests/check

.PHONY: faults
faults: ## Break everything under load: SEED=1 MINUTES=20 REDIS=cluster
	@tests/faults/run run "$(SEED)" "$(MINUTES)" "$(REDIS)"

.PHONY: faults-storm
faults-storm: ## Five thousand devices whose replica dies
	@tests/faults/run storm

.PHONY: faults-planted
faults-planted: ## The checker must find each of the planted bugs: T=name for one
	@tests/faults/run planted "$(T)"

.PHONY: operations
operations: ## Walk through the runbook, the dashboards and nginx on real servers
	cargo build --locked --bin gateway
	tests/operations/run live $(if $(T),-k $(T))

.PHONY: image
image: ## Build the container image and run compose.yaml with it (Debian, root)
	deploy/images/build
	deploy/images/try

.PHONY: gen
gen: ## Write the files that are generated from the code
	PARLEY_GENERATE=1 cargo test --test tests -- generated:: repository::the_settings repository::the_metrics
	PARLEY_GENERATE=1 tests/operations/run

.PHONY: web
web: web/dist/index.html ## Build the web client

.PHONY: clean
clean: ## Remove what was built; data stays
	rm -rf $(TARGET) web/dist web/node_modules

.PHONY: help
help: ## Show this text
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

TARGET := $(or $(CARGO_TARGET_DIR),target)

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_FILES)
	cd web && npm run build
	@# Embedded at compile time, and cargo does not know the folder.
	@touch $@ gateway/src/http/web.rs
