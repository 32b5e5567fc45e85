# Everything that a checkout can do. `make demo` and `make test` set up all that they need by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

.PHONY: help setup demo demo-stay test coverage outside-readers lint secrets mutants fuzz hostile eye bench bench-quick bench-allowance bench-backlog bench-small bench-numbers bench-manifest bench-line bench-forecasts bench-plans bench-wheel bench-scale bench-soak bench-start bench-rest chaos upgrade-drill docs bench-scrape drill lock pin-images clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything that is needed, pinned by hashes

$(READY): requirements/runtime.txt requirements/development.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Greenroom needs Python 3.11 or newer; say which one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments; install its venv package (Debian: python3-venv)." >&2; exit 1; }
	@echo "Setting up $(VENV) (once; half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python requirements/install.py requirements/development.txt
	@# The checkout itself, by the build backend of the line above: its packages, and the command.
	@$(PIP) --no-index --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## Get the example campaign ready against the sandbox
	@$(BIN)/greenroom demo

demo-stay: $(READY) ## The same, and keep everything up afterwards, with Flower
	@$(BIN)/greenroom demo --stay

# Three for two cores: what waits for a stack leaves its core to the others. What some hundred processes import
# is compiled once, also where a container has it otherwise.
test: $(READY) ## Run all the tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadgroup

coverage: $(READY) ## Run all the tests, and print which lines and branches of the code they pass (twice as long)
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -n 2 --dist loadgroup --timeout 600; status=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$status

outside-readers: $(READY) ## Install the programs that look at files with an eye of their own (Debian, as root)
	@packages=$$($(BIN)/python -m tests.support.outside); \
	if ! command -v apt-get >/dev/null; then echo "No apt-get here. Install what these packages of Debian's bring: $$packages" >&2; exit 1; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "Only root may install. Run: sudo apt-get install --yes $$packages" >&2; exit 1; fi; \
	apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends $$packages

lint: $(READY) ## Check style, types and layers (the tests do so too)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

secrets: $(READY) ## Seed secrets, drive a whole production into failures, and search all that it wrote (half a minute)
	@$(BIN)/python -m pytest tests/secrets --quiet --capture=no -p no:cacheprovider

mutants: $(READY) ## Change the lifecycle's rules in a thousand ways, and see that a test notices (a quarter of an hour)
	@$(BIN)/mutmut run && $(BIN)/mutmut results

INPUTS := 100000
SEED := 1

fuzz: $(READY) ## Spoil files, manifests, messages, answers, addresses and requests in 100,000 ways (INPUTS=n SEED=n; some minutes)
	@$(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED)

hostile: $(READY) ## Show what becomes of each hostile file, manifest, message and answer (a minute)
	@$(BIN)/python -m tests.hostile

eye: $(READY) ## Compare verdicts on the files of a folder with what other readers say (CORPUS=folder)
	@test -n "$(CORPUS)" || { echo "Say which folder: make eye CORPUS=folder" >&2; exit 2; }
	@$(BIN)/python -m tests.eye "$(CORPUS)"

bench: $(READY) ## Compare with what people use instead, and with the limits (a quarter of an hour)
	@$(BIN)/python -m benchmarks.suite

bench-quick: $(READY) ## The same in under 100 s, with fewer rounds
	@$(BIN)/python -m benchmarks.suite --quick

bench-allowance: $(READY) ## How much of a number's 25 uploads a second is used (some minutes)
	@$(BIN)/python -m benchmarks.allowance

bench-backlog: $(READY) ## What an upload costs the whole system, beside requests.post (three minutes)
	@$(BIN)/python -m benchmarks.backlog_cost

bench-small: $(READY) ## What small campaigns on many numbers cost, beside requests.post and peers (two minutes)
	@$(BIN)/python -m benchmarks.small_campaigns

bench-numbers: $(READY) ## Forty numbers at once, and a campaign that overtakes (some minutes)
	@$(BIN)/python -m benchmarks.many_numbers

bench-manifest: $(READY) ## Submit a manifest of a million lines, and again with one line changed (three minutes)
	@$(BIN)/python -m benchmarks.large_manifest

bench-line: $(READY) ## What a new line of a manifest costs in PostgreSQL and Python, part by part (a minute)
	@$(BIN)/python -m benchmarks.line_cost

bench-forecasts: $(READY) ## When campaigns were said to be ready, and when they were (two minutes)
	@$(BIN)/python -m benchmarks.forecasts

bench-wheel: $(READY) ## What the wheel brings into a fresh environment: size, packages, import, types (two minutes)
	@$(BIN)/python -m benchmarks.installed_wheel

bench-plans: $(READY) ## Explain all that the tasks ask of PostgreSQL, on tables of a million rows (a quarter of an hour)
	@$(BIN)/python -m benchmarks.query_plans

bench-scrape: $(READY) ## What a scrape of the metrics costs, on tables of a million rows (some minutes)
	@$(BIN)/python -m benchmarks.scrape_cost

bench-start: $(READY) ## What it takes to start, and the memory of a stack at rest (some minutes)
	@$(BIN)/python -m benchmarks.start

bench-rest: $(READY) ## What an installation costs that has nothing to do, on tables of a million rows (a quarter of an hour)
	@$(BIN)/python -m benchmarks.at_rest

bench-soak: $(READY) ## Upload a million files, and watch the memory of each kind of process (a quarter of an hour)
	@$(BIN)/python -m benchmarks.soak --files 2000

bench-scale: $(READY) ## Work out, and simulate, what 40, 1,000 and 10,000 numbers need (a minute)
	@$(BIN)/python -m benchmarks.scale

chaos: $(READY) ## Break the real stack in every way, and count what is lost (under half an hour; as root, all of it)
	@$(BIN)/python -m benchmarks.chaos

SITE := site

docs: $(READY) ## Build the documentation as a site with a search, a folder for each version (SITE=folder)
	@$(BIN)/python -m sphinx -W --keep-going -q -b html -d .sphinx -c docs . \
		$(SITE)/$$($(BIN)/python -c 'import greenroom; print(greenroom.__version__)')
	@echo "The site is in $(SITE)/index.html"

FROM :=

upgrade-drill: $(READY) ## Upgrade a stack in mid-campaign, from before the tables changed (FROM=revision; a minute)
	@$(BIN)/python -m benchmarks.rolling_upgrade $(FROM)

drill: $(READY) ## Fire each alert by its fault, with a real Prometheus, and see it end (a quarter of an hour)
	@$(BIN)/python -m benchmarks.drill

UPGRADE := --upgrade
MORE := requirements/development.new

lock: $(READY) ## Pin the newest versions that pyproject.toml allows (UPGRADE= changes as few as it can)
	@$(BIN)/uv pip compile pyproject.toml --extra app --extra az --extra gs --extra otel --extra s3 --extra sftp --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate $(UPGRADE) --quiet --output-file requirements/runtime.txt
	@$(BIN)/python -m requirements.drop_hashes requirements/runtime.txt
	@# What is pinned there is not said twice.
	@cp requirements/development.txt $(MORE)
	@$(BIN)/uv pip compile pyproject.toml --extra app --extra az --extra gs --extra otel --extra s3 --extra sftp --group dev --group bench --group eye --group mutants --universal \
		--constraint requirements/runtime.txt $$(sed -n 's/^\([a-z0-9._-]*\).*==.*/--no-emit-package \1/p' requirements/runtime.txt) \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $(UPGRADE) --quiet \
		--output-file $(MORE)
	@{ printf '%s\n\n' '--requirement runtime.txt'; sed '/^# The following packages were excluded/,$$d' $(MORE); } \
		> requirements/development.txt && rm $(MORE)
	@$(BIN)/python -m requirements.drop_hashes requirements/development.txt

pin-images: .env ## Write the images of docker-compose.yml to .env by digest, as the registry has them now
	@sed -n 's/.*$${\([A-Z]*_IMAGE\):-\([^}]*\)}.*/\1 \2/p' docker-compose.yml | sort -u | while read -r name image; do \
		docker pull --quiet "$$image" >/dev/null || exit 1; \
		digest=$$(docker image inspect --format '{{index .RepoDigests 0}}' "$$image") || exit 1; \
		kept=$$(grep -v "^$$name=" .env); printf '%s\n%s=%s\n' "$$kept" "$$name" "$$digest" > .env; \
		echo "$$name=$$digest"; \
	done

clean: ## Remove what the embedded stack and the tools have left; .venv stays
	@rm -rf .greenroom .sphinx site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* mutants
