# Parley's chores. Go, make and git are all that has to be installed: every tool is pinned by version, in go.mod (the
# protobuf plugins) or in tools/go.mod (buf, golangci-lint), and is built on first use.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
ARGS      ?=
FUZZTIME  ?= 30s
SOAK      ?= 1
SEEDS     ?= 1000000
BIN       := bin/parley
TOOL      := $(GO) tool -modfile=tools/go.mod
CONTRACT  := proto/contract.yaml

# The race detector needs a C compiler; without one Go turns cgo off, and the tests run all the same.
RACE = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# The packages whose tests kill processes or pull the power at armed crash points; those that do not exist yet are skipped.
SEAM_PACKAGES ?= $(patsubst %,./%/...,$(wildcard hub journal reliability seam))

# The modules that are kept tidy. tools/ cannot be: tidying loads the tests of everything buf and golangci-lint are built
# from, and some of what those import is not published. Building the tools checks what matters of its go.mod.
MODULES := . $(patsubst %/go.mod,%,$(wildcard bench/go.mod))

.PHONY: help
help: ## say what there is to make
	@echo 'make TARGET, where TARGET is'
	@sed -nE 's/^([a-z][a-z-]*):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'Variables: ARGS (run), FUZZTIME=$(FUZZTIME) (fuzz), SEAM_PACKAGES (test), GO=$(GO).'

.PHONY: build
build: ## build the one binary, bin/parley
	$(GO) build -trimpath -o $(BIN) ./cmd/parley

.PHONY: run
run: build ## build it and start a server, with a room to try
	@exec $(BIN) serve $(ARGS)

.PHONY: test
test: check ## run every test and every check that needs no tool to be built
	@$(if $(RACE),,echo 'no C compiler found: testing without the race detector')
	$(GO) test $(RACE) -shuffle=on ./...
	$(if $(SEAM_PACKAGES),$(GO) test $(RACE) -shuffle=on -tags seam $(SEAM_PACKAGES))
	$(GO) test -tags seam -run '^TestASeedReplays$$' ./hub

.PHONY: check
check: ## formatting, go.mod, go vet
	@files=$$(gofmt -l .); if [[ -n $$files ]]; then echo "run gofmt -w on:" $$files; exit 1; fi
	@for module in $(MODULES); do \
		$(GO) -C $$module mod tidy -diff || { echo "run go mod tidy in $$module"; exit 1; }; \
	done
	$(GO) vet ./...
	$(GO) vet -tags seam ./...

.PHONY: lint
lint: ## golangci-lint; buf: style, compatibility, generated code (the first time builds both: minutes)
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run
	$(TOOL) buf lint
	$(TOOL) buf format --diff --exit-code
	$(TOOL) buf breaking --against $(CONTRACT)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(TOOL) buf build --exclude-source-info -o "$$scratch/contract.yaml"; \
	diff -u $(CONTRACT) "$$scratch/contract.yaml" || { echo "the .proto files have grown: run make contract"; exit 1; }; \
	$(TOOL) buf generate -o "$$scratch"; \
	diff -ru proto/gen "$$scratch/proto/gen" || { echo "the generated code is old: run make generate"; exit 1; }

.PHONY: generate
generate: ## write the Go code of the .proto files to proto/gen
	$(TOOL) buf generate
	$(GO) test -run '^TestGeneratedCodeIsCurrent$$' . -update

# What clients may rely on is a file of this repository rather than a branch or tag of it, so that the check is the same
# in a shallow clone, on a branch and without a network, and a change of the contract is read in review like any other.
.PHONY: contract
contract: ## record what the .proto files promise, unless it breaks what they promised before
	@if [[ -e $(CONTRACT) ]]; then $(TOOL) buf breaking --against $(CONTRACT); fi
	$(TOOL) buf build --exclude-source-info -o $(CONTRACT)

.PHONY: bench
bench: ## measure against the bare libraries (bench/, minutes)
	$(MAKE) -C bench

.PHONY: fuzz
fuzz: ## fuzz each Fuzz function for FUZZTIME
	@grep -rlE --include='*_test.go' '^func Fuzz' . | grep -v '^./bench/' | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s "$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: soak
soak: ## the reliability tests at full length (hours; SEEDS=1000000 for the simulation)
	SOAK=$(SOAK) $(GO) test -tags seam -run Soak -count=1 -timeout 60m -v ./reliability/...
	SOAK=$(SOAK) $(GO) test -run 'TestPowerLoss$$|TestDamage$$|TestWriteErrors' -count=1 -timeout 0 -v ./journal/embedded
	$(GO) test -tags seam -c -o bin/simulation ./hub
	@# A process for each 5,000 seeds: the garbage collector of a longer one falls behind the bubbles of synctest.
	@for from in $$(seq 1 5000 $(SEEDS)); do \
		(cd hub && FROM=$$from SEEDS=5000 ../bin/simulation -test.run 'TestSimulation$$') || exit 1; \
	done

.PHONY: clean
clean: ## remove what make made, but not data
	rm -rf bin
	$(GO) clean -testcache
