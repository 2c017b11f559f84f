# Everything a newcomer needs is `make run` and `make test`; both set up what they use.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

BIN := node_modules/.bin
BUN := $(BIN)/bun
SETUP := node_modules/.setup
# The very Bun that is pinned in package.json; npm brings it, it then installs the rest from bun.lock.
BUN_VERSION := $(shell sed -n 's/.*"bun": "\([0-9.]*\)".*/\1/p' package.json)
BOOTSTRAP := node_modules/.bootstrap
VERSION := $(shell sed -n 's/.*"version": "\([^"]*\)".*/\1/p' package.json)
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
SOURCES := $(shell find src -type f 2>/dev/null) package.json

.PHONY: help run test check lab network-test bench soak image image-test build setup fuzz clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

run: build ## sets everything up, shows an encrypted call through Pequod and stays up
	dist/pequod demo $(if $(LISTEN),--listen $(LISTEN))

test: build ## sets everything up and passes all tests that need no root
	$(BUN) test --timeout 60000 src test/contract test/flows test/fuzz test/peers test/lab test/tidy.test.ts
	$(BUN) test --timeout 60000 $(addprefix ./,$(wildcard test/e2e/*.e2e.ts))

fuzz: setup ## a million broken messages and media packets; PEQUOD_FUZZ, PEQUOD_SEED
	PEQUOD_FUZZ=$(or $(PEQUOD_FUZZ),1000000) PEQUOD_SEED=$(or $(PEQUOD_SEED),1) $(BUN) test --timeout 60000 test/fuzz

check: setup ## types, lint, tidy
	$(BIN)/tsc
	$(BIN)/biome check --error-on-warnings
	$(BUN) test test/tidy.test.ts

lab: build ## real phones, telephone systems, chat servers and web applications in namespaces (root, Debian)
	test/lab/run.sh

network-test: build ## routing, firewall and undo in namespaces of their own (root)
	@[ "$$(id -u)" = 0 ] || { echo "make network-test needs root" >&2; exit 1; }
	image/host.sh $(CURDIR)/test/e2e/host-packages
	$(BUN) test --timeout 60000 $(addprefix ./,$(wildcard test/e2e/*.ns.ts))

bench: build ## speed and memory, beside rtpengine, Kamailio, nginx and haproxy where root has built the lab's tree
	test/bench/run.sh

soak: build ## 200 calls for half an hour: memory, ports and descriptors; PEQUOD_SOAK_MINUTES
	$(BUN) test ./test/soak/calls.soak.ts

image: build ## dist/pequod-VERSION.qcow2: the VM (root, Debian)
	image/build.sh dist/pequod-$(VERSION).qcow2 dist/pequod

image-test: image ## boots the VM in QEMU and telephones through it (root, Debian)
	test/image/run.sh dist/pequod-$(VERSION).qcow2

build: dist/pequod ## dist/pequod: one file that runs without Bun

dist/pequod: $(SOURCES) | setup
	@mkdir -p dist
	$(BUN) build src/main.ts src/media-worker.ts --compile --minify --sourcemap=none --bytecode --format=esm \
	  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
	  --define PEQUOD_COMMIT='"$(COMMIT)"' --outfile $@

setup: $(SETUP) ## the pinned Bun and all packages

$(SETUP): package.json bun.lock
	npm install --prefix $(BOOTSTRAP) --no-audit --no-fund --no-package-lock --silent bun@$(BUN_VERSION)
	$(BOOTSTRAP)/node_modules/.bin/bun install --frozen-lockfile --silent
	@rm -rf $(BOOTSTRAP)
	@touch $@

clean: ## what make has made
	rm -rf dist node_modules
