# Two commands for a user (serve, test), the rest for who works on Quintet. Needs: a Rust toolchain, python3 with pip,
# a C++ compiler. Everything else is fetched, pinned and hash-checked, into .runtime/ and cargo's own cache.

DATA_DIR ?= $(or $(QUINTET_DATA_DIR),data-sets)
CARGO ?= cargo
MODELS ?= mlp cnn resnet fashion simple_rnn lstm transformer gan
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
TOOLS = $(CURDIR)/.runtime/tools/bin
TARGET = $(or $(CARGO_TARGET_DIR),target)
KUBERNETES_VALIDATE = python3 -m venv .runtime/kubernetes-validate && .runtime/kubernetes-validate/bin/pip install -q \
  --disable-pip-version-check --require-hashes -r deploy/tests/requirements.txt

.PHONY: help serve build test check bench train generate fetch-onnxruntime fetch-libtorch \
	gpu-package test-gpu-package test-triton test-import test-interop test-hostile test-deploy \
	test-traces test-kubernetes soak fuzz-smoke check-kubernetes check-supply-chain check-msrv

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 22

serve: build ## Build the server and serve models/ on 127.0.0.1:50051 (gRPC) and 127.0.0.1:9464 (HTTP)
	ORT_DYLIB_PATH=.runtime/onnxruntime/lib/libonnxruntime.so $(TARGET)/release/quintet-server --models-dir models $(ARGS)

build: fetch-onnxruntime ## Build target/release/quintet-server and target/release/quintet
	@echo "build: quintet-server and quintet, optimised; minutes the first time"
	$(CARGO) build --release -p quintet-server -p quintet-client

test: fetch-onnxruntime fetch-libtorch ## Run every test (with QUINTET_DATA_DIR set, those on the real data too)
	@echo "test: building everything, the trainer included; minutes the first time"
	$(CARGO) build --workspace --bins --features quintet-e2e/trainer
	$(CARGO) test --workspace --features quintet-e2e/trainer
	python3 tests/triton/run.py --server $(TARGET)/debug/quintet-server
	python3 tests/interop/run.py --server $(TARGET)/debug/quintet-server
	python3 -B tests/gpu/run.py

test-triton: fetch-onnxruntime ## Let NVIDIA's own client talk to the server (ARGS=--perf-analyzer: its load generator too)
	$(CARGO) build -p quintet-server
	python3 tests/triton/run.py $(ARGS)

test-import: fetch-onnxruntime fetch-libtorch ## Import models of other programs and compare the answers (fetches 1.5 GB; minutes)
	$(CARGO) build -p quintet-trainer -p quintet-server
	python3 tests/import/run.py $(ARGS)

test-interop: fetch-onnxruntime ## Let gRPC's clients in Go, Node and Python, and the SDK, talk to the server over TLS
	$(CARGO) build -p quintet-server -p quintet-client
	python3 tests/interop/run.py $(ARGS)

test-hostile: fetch-onnxruntime ## Let h2spec and hostile peers attack the server (needs Go and openssl; 3 minutes)
	$(CARGO) build -p quintet-server
	python3 tests/hostile/run.py $(ARGS)

soak: build ## Load the server with everything for an hour; its memory must stay flat (ARGS=--minutes 5)
	python3 tests/soak/run.py $(ARGS)

fuzz-smoke: fetch-onnxruntime ## Run every fuzz target for some seconds (ARGS="TARGET --seconds 600" for one)
	python3 fuzz/run.py $(ARGS)

test-deploy: ## Build the images and try the deployment (needs a Docker Engine, compose and grpcurl; minutes)
	python3 -B deploy/tests/run.py

test-traces: build ## Send traces to OpenTelemetry's collector, and print one (needs Go)
	$(CARGO) build -p quintet-client --features opentelemetry --example traced
	python3 -B deploy/tests/traces.py

test-kubernetes: build ## Run the manifests and the chart on a cluster, under load (needs KUBECONFIG, or root, Go and cgroups; minutes)
	$(KUBERNETES_VALIDATE)
	.runtime/kubernetes-validate/bin/python -B deploy/tests/cluster/run.py

check-kubernetes: ## Hold what kustomize makes of deploy/kubernetes to the published schemas (needs Go; a minute)
	$(KUBERNETES_VALIDATE)
	.runtime/kubernetes-validate/bin/python -B deploy/tests/schemas.py

check: fetch-onnxruntime fetch-libtorch ## Formatting, lints and documentation, all without a warning
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --features quintet-e2e/trainer -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --features quintet-e2e/trainer

check-supply-chain: ## Licences, bans and sources of all crates, and the bills of materials (installs cargo-deny; minutes)
	command -v cargo-deny || test -x $(TOOLS)/cargo-deny || \
	  $(CARGO) install --locked --debug --no-default-features --root .runtime/tools cargo-deny@0.20.2
	PATH="$$PATH:$(TOOLS)" cargo-deny --all-features check bans licenses sources
	for image in server server-cuda trainer client; do \
	  python3 -B deploy/sbom.py $$image > .runtime/$$image.cdx.json || exit; \
	done

check-msrv: fetch-onnxruntime ## Compile with the oldest Rust that Cargo.toml names (needs rustup)
	rustup toolchain install --profile minimal $(MSRV)
	$(CARGO) +$(MSRV) check --workspace --exclude quintet-trainer --exclude quintet-example --all-targets --target-dir $(TARGET)/msrv

bench: build ## Measure throughput and latency beside what the machine could do, and print a table (minutes)
	$(CARGO) build --release -p quintet-bench
	$(CARGO) run --quiet --release -p quintet-bench -- --models-dir models $(ARGS)

# BINARIES names a folder with release builds, if they are not to be built.
gpu-package: fetch-libtorch ## Pack what bench/gpu.sh needs on a machine with an NVIDIA GPU, in parts of 45 MiB (BINARIES=DIR: already built; ARGS="--part-mib 30")
	$(if $(BINARIES),,$(CARGO) build --release -p quintet-trainer -p quintet-server -p quintet-client -p quintet-bench)
	python3 deploy/fetch.py onnxruntime-gpu-only
	python3 -B bench/gpu/package.py --binaries $(or $(BINARIES),$(TARGET)/release) --data-dir $(DATA_DIR) $(ARGS)

test-gpu-package: ## Test the package for GPUs and the report's parts, without a GPU (seconds)
	python3 -B tests/gpu/run.py

train: fetch-onnxruntime fetch-libtorch ## Train the served models into models/ (DATA_DIR names the data; what is missing is downloaded)
	$(CARGO) build --release -p quintet-trainer
	mkdir -p $(DATA_DIR)
	for model in $(MODELS); do \
	  set -- $$model; \
	  if [ $$model = minilm ]; then \
	    python3 deploy/fetch.py minilm || exit; \
	    set -- transformer --init .runtime/minilm --resume; \
	  fi; \
	  ORT_DYLIB_PATH=.runtime/onnxruntime/lib/libonnxruntime.so $(TARGET)/release/quintet-trainer \
	    train "$$@" --data-dir $(DATA_DIR) --models-dir models $(ARGS) || exit; \
	done

generate: ## Make the checked-in protobuf code again
	UPDATE_EXPECT=1 $(CARGO) test -p quintet-proto -p quintet-onnx --test bootstrap

fetch-onnxruntime:
	@python3 deploy/fetch.py onnxruntime

fetch-libtorch:
	@python3 deploy/fetch.py libtorch
