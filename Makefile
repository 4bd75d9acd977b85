# Run `make` to see the targets. Everything that is built lands in .cache/ and bin/, which git ignores.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CACHE ?= $(CURDIR)/.cache
TOOLS := $(CACHE)/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE ?= ghcr.io/registryhub/registryhub:v0.1.0
LDFLAGS := -s -w -X main.version=$(VERSION)
# The packages of the product's module that hold tests, and those of test/ that need no cluster.
ROOT := $(shell [ "$$(id -u)" = 0 ] && [ "$$(uname -s)" = Linux ] && echo yes)
# skopeo, buildah and podman are installed where they are missing, and keep images as root.
CLIENTS := $(if $(ROOT),./clients/...)

##@ The two commands

.PHONY: demo
demo: ## Bring up a real cluster on this box, pull through a hub, print what happened (root on Linux).
	go run ./hack/demo

.PHONY: test
test: test-unit test-fuzz test-envtest test-faults test-e2e ## Run every test; the end-to-end part needs root on Linux.

##@ Parts of the tests

.PHONY: test-unit
test-unit: ## Unit tests of both modules, containerd's own parsers included, with the race detector.
	go test -race ./...
	cd test && go test -race ./alerts/... ./architecture/... $(CLIENTS) ./conformance/... ./gitops/... ./manifests/... ./oracles/... ./powerloss/... ./rights/...

.PHONY: test-fuzz
test-fuzz: ## Every parser of outside bytes with ten thousand inputs that nobody wrote.
	hack/fuzz 10000x

.PHONY: test-envtest
test-envtest: ## The operator against a real kube-apiserver and etcd.
	assets="$$(go run ./hack/cluster assets)" && cd test && KUBEBUILDER_ASSETS="$$assets" go test -race -timeout 15m ./envtest/...

.PHONY: test-faults
test-faults: ## The proxy in front of upstreams that fail, and killed again and again, with real containerds (root on Linux).
ifeq ($(ROOT),yes)
	cd test && go test -race -timeout 20m ./faults/...
else
	@echo "LEFT OUT: the suite of faults runs containerds: it needs root on Linux."
endif

.PHONY: test-e2e
test-e2e: ## The whole on a real two-node cluster (root on Linux).
ifeq ($(ROOT),yes)
	cd test && go test -race -timeout 40m -count=1 -v ./e2e/...
else
	@echo "LEFT OUT: the end-to-end suite makes network namespaces and runs kubelets: it needs root on Linux."
endif

.PHONY: test-long
test-long: ## What takes longer than a person waits: all faults, 200 kills, a million objects, containerd 1.6, an upgrade, fuzzing.
	cd test && go test -timeout 20m -count=1 -v ./scale/...
	cd test && REGISTRYHUB_KILLS=200 go test -race -timeout 60m -count=1 ./faults -long
	cd test && REGISTRYHUB_E2E_CONTAINERD=1.6 go test -race -timeout 60m -count=1 -v ./e2e/...
	cd test && go test -race -timeout 30m -count=1 -v ./upgrade/...
	hack/fuzz 10m

##@ Measuring

.PHONY: bench
bench: ## Measure the proxy beside distribution and nginx (forty-five minutes), and write docs/benchmarks.md.
	go run ./hack/bench

##@ Checks

.PHONY: verify
verify: ## Regenerate, lint, and assert that nothing changed.
	hack/verify

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Lint both modules.
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...
	cd test && $(TOOLS)/golangci-lint run --allow-parallel-runners --config ../.golangci.yaml ./...

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format both modules.
	$(TOOLS)/golangci-lint fmt ./...
	cd test && $(TOOLS)/golangci-lint fmt --config ../.golangci.yaml ./...

##@ Building

.PHONY: build
build: ## Build the static binary to bin/registryhub.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/registryhub ./cmd/registryhub

.PHONY: image
image: build ## Pack the binary into bin/image.tar, without a container engine.
	go run ./hack/image --binary bin/registryhub --tag $(IMAGE) --output bin/image.tar

.PHONY: generate
generate: $(TOOLS)/controller-gen $(TOOLS)/crd-ref-docs ## Generate deep copies, CRDs, the API reference, the tables of metrics and dist/install.yaml.
	$(TOOLS)/controller-gen object paths=./api/...
	$(TOOLS)/controller-gen crd paths=./api/v1alpha1/... output:crd:dir=config/crd/bases
	$(TOOLS)/crd-ref-docs --source-path=api/v1alpha1 --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=$(CACHE)/api-reference.md --log-level=ERROR
	go run ./hack/apipages $(CACHE)/api-reference.md docs/api
	go run ./hack/metrics
	$(MAKE) --no-print-directory manifests

.PHONY: manifests
manifests: $(TOOLS)/kustomize ## Write dist/install.yaml, all of config/default in one file.
	{ echo '# All of config/default, written by `make manifests`.'; $(TOOLS)/kustomize build config/default; } > dist/install.yaml

.PHONY: clean
clean: ## Take the cluster down and remove what was built.
	-go run ./hack/cluster down
	rm -rf bin $(CACHE)

$(TOOLS)/controller-gen: hack/tools/go.sum
	cd hack/tools && go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(TOOLS)/golangci-lint: hack/tools/go.sum
	cd hack/tools && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/crd-ref-docs: hack/tools/go.sum
	cd hack/tools && go build -o $@ github.com/elastic/crd-ref-docs

$(TOOLS)/kustomize: hack/tools/go.sum
	cd hack/tools && go build -o $@ sigs.k8s.io/kustomize/kustomize/v5

.PHONY: help
help: ## Print this.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][-a-z0-9]*:.*##/ {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
