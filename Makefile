# One command each; README.md says when to use which.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
WEB := liveroom/web
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
APT := postgresql-15 redis-server redis-sentinel janus xvfb chromium fonts-noto-cjk fonts-noto-color-emoji iproute2 \
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice \
	python3-gi python3-gst-1.0 gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0

.PHONY: help install deps demo test test-fast lint format bench wheel lock release-check fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed $(WEB)/dist/.built ## .venv with the package, web pages built; seconds when nothing changed

$(VENV)/.installed: requirements.lock pyproject.toml sfu/edge/_fanout.c sfu/edge/_runs.h liveroom/edge/_sweep.c
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing: install it (apt-get install python3.11 python3-venv)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "venv is missing: apt-get install python3-venv."; exit 1; }
	@echo "installing Python packages into $(VENV) (once, a minute or so)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' 2>/dev/null || { echo "Node 20.19 or newer is missing: install it (nodejs.org or your distribution), then run make install again."; exit 1; }
	@echo "installing what the pages are built with (once)"
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(WEB)/dist/.built: $(WEB)/node_modules/.installed $(WEB_SOURCES)
	@echo "building the pages"
	@cd $(WEB) && npm run build --silent -- --logLevel warn
	@touch $@

deps: tests/peers/node_modules/.installed ## apt packages the tests need; nothing to do when present
	@missing=; for p in $(APT); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	test -z "$$missing" && exit 0; \
	command -v apt-get >/dev/null || { echo "Please install:$$missing"; exit 1; }; \
	run=; test "$$(id -u)" = 0 || run=sudo; \
	echo "installing:$$missing"; \
	$$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends $$missing >/dev/null

tests/peers/node_modules/.installed: tests/peers/package-lock.json
	cd tests/peers && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: install ## a whole live room on this machine
	@$(BIN)/liveroom demo

test: install deps ## the whole test suite
	cd $(WEB) && npm run --silent check
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

test-fast: install ## what runs in about a minute
	$(BIN)/python -m pytest -q -m "not slow and not browser and not peers" -x \
		--numprocesses=2 --dist=loadfile

lint: install ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## rewrite to the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## measure joins on this machine
	$(BIN)/python -m bench join --viewers 50 --rate 10

wheel: install ## a wheel with the built pages inside, in build/wheel
	rm -rf build/lib build/bdist.*
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w build/wheel .

lock: ## resolve requirements.lock anew (hashes, no addresses)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q -o requirements.lock

release-check: install deps fuzz ## everything, with the long fuzzing and crash rounds
	LIVEROOM_TEST_ROUNDS=100 $(BIN)/python -m pytest --timeout=14400

FUZZ_RUNS ?= 1000000
FUZZ_ENGINE_RUNS ?= 100000

fuzz: install ## a million runs of every parser that strangers reach, guided by coverage; minutes
	@for target in stun demux rtp rtcp sdp payload; do \
		echo "fuzzing $$target"; \
		$(BIN)/python -m tests.fuzz.run $$target --runs $(FUZZ_RUNS) || exit 1; \
	done
	@echo "fuzzing engine"
	@$(BIN)/python -m tests.fuzz.run engine --runs $(FUZZ_ENGINE_RUNS)

clean: ## remove what install made
	rm -rf $(VENV) $(WEB)/node_modules $(WEB)/dist build *.egg-info
