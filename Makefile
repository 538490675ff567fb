# Thin: every target is one command that can be typed as well. CI runs .ci/run.

LINT_VERSION := $(shell sed -n 's/^readonly lint_version=//p' .ci/run)
GOLANGCI_LINT ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
FUZZ_INPUTS ?= 100000x

.PHONY: build test race lint fmt dev fuzz pictures ci

build: ## The binary, into dist/
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$$(git describe --tags --always --dirty)" -o dist/pos-bridge ./cmd/bridge

test: ## All tests
	go test ./...

race: ## All tests with the race detector
	go test -race ./...

lint: ## Linters, the import arrows among them
	$(GOLANGCI_LINT) run

fmt: ## gofumpt
	$(GOLANGCI_LINT) fmt

dev: ## Everything on this machine, with a sample payment
	go run ./cmd/bridge dev

fuzz: ## Every fuzz target with FUZZ_INPUTS inputs
	.ci/fuzz $(FUZZ_INPUTS)

pictures: ## Take the pictures of docs/images, with Chromium
	SCREENSHOTS_DIR=$(CURDIR)/docs/images go test -count=1 -run '^Test(Page)?Pictures$$/^(console-)?(light|dark)$$' ./internal/console ./internal/simulator

ci: ## What CI runs
	.ci/run
