# Voltyard. `make` lists the targets.
SCHEMAS ?= ../shared/schemas
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 10s
LINT := go tool -modfile=test/tools/go.mod golangci-lint

.PHONY: help build arm64 generate vet lint test race fuzz demo ci

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## build bin/voltyard for this machine
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/voltyard ./cmd/voltyard

arm64: ## build bin/voltyard-arm64 for a gateway box
	CGO_ENABLED=0 GOARCH=arm64 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/voltyard-arm64 ./cmd/voltyard

generate: ## make the generated code anew (SCHEMAS=dir holds iso15118/ and ocpp/)
	SCHEMAS=$(abspath $(SCHEMAS)) go generate ./...

vet: ## go vet
	go vet ./...

lint: ## golangci-lint, from its own module
	$(LINT) run ./...

test: ## all tests, with Go alone
	go test ./...

race: ## all tests with the race detector (needs a C compiler)
	go test -race ./...

fuzz: ## each fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

demo: ## a whole simulated site
	go run ./cmd/voltyard demo

ci: ## what decides whether a change lands
	.ci/run
