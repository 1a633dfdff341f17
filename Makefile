# Everything here sets itself up: `make test` in a fresh clone needs Python 3.11 and nothing else.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/made-from
ROOT_LINK := $(VENV)/typecheck/dotcnn

# What the environment is made from. It is compared by content, not by date, so that changing branches back and
# forth costs nothing; the folder is part of it because an environment that was moved or copied points elsewhere.
MADE_FROM := $(PYTHON) $(shell cat pyproject.toml constraints.txt | cksum) $(CURDIR)
ifneq ($(shell test -x $(BIN)/python && cat $(STAMP) 2>/dev/null),$(MADE_FROM))
.PHONY: $(STAMP)
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-docs lint format check-all fuzz bench playground editor test-editor docs wheel clean-room clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: $(STAMP) ## a report, a drawing, a mistake, then a short training with its report page
	$(BIN)/cnn check specs
	$(BIN)/cnn fmt --check specs
	$(BIN)/cnn report resnet50 --depth 1
	$(BIN)/cnn explain lenet5 conv1
	$(BIN)/cnn diff resnet18 resnet34
	@mkdir -p build/demo
	$(BIN)/cnn draw googlenet -o build/demo/googlenet.svg
	@echo "A mistake, and what is said about it:"
	$(BIN)/cnn check tests/errors/compile/shape-add.cnn || test $$? -eq 1
	$(BIN)/cnn emit lenet5 --main -o build/demo/lenet5.py
	$(BIN)/python build/demo/lenet5.py
	@rm -rf build/demo/digits
	$(BIN)/cnn train digits -o build/demo/digits
	$(BIN)/cnn evaluate build/demo/digits
	@echo "What came of it, to be opened in a browser: build/demo/digits/report.html"
	@echo "Your own: \`. $(BIN)/activate\` makes \`cnn\` a command of this shell; docs/tutorial/first-network.md begins"

test: lint ## lint, then the tests; minutes
	$(BIN)/pytest -q -n $(WORKERS) -m "not slow"

lint: $(STAMP) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# The package is called dotcnn and its folder may be called anything, so mypy sees it through a link of that name.
	cd $(VENV)/typecheck && ../bin/mypy -n $(WORKERS) --config-file "$(CURDIR)/pyproject.toml" -p dotcnn

format: $(STAMP) ## rewrite the sources in the one style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check-all: lint ## all tests, the slow ones too, with many more generated examples
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev,outside]'
	$(BIN)/pytest -q -n $(WORKERS) -m "slow or not slow" --hypothesis-profile=thorough

fuzz: $(STAMP) ## hostile inputs, mutated and drawn: make fuzz TARGETS="spec section" COUNT=100000
	cd tests && PYTHONPATH=. nice -n 19 ../$(BIN)/python -m fuzz $(TARGETS) --count $(or $(COUNT),20000) --seed $(or $(SEED),0)

bench: $(STAMP) ## measurements against peers, one after the other
	@for script in benchmarks/[a-z]*.py; do \
	  test "$$script" = benchmarks/cuda.py && continue; \
	  echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

playground: $(STAMP) ## the page that compiles in the browser, in playground/dist; also for `cnn play`
	playground/set-up node npm
	@# Not `npm ci`: it refuses lock files that npm itself writes where a package is for Windows alone.
	cd playground && npm install --silent --no-save --no-audit --no-fund && npx tsc -p . && npx vite build --logLevel warn
	$(BIN)/python playground/python_archive.py playground/dist
	rm -rf editor/page && mkdir editor/page && cp -r playground/dist/index.html playground/dist/assets editor/page/
	rm -f editor/page/assets/worker-*

editor: playground ## the extension for VS Code, editor/vscode/dotcnn.vsix
	rm -rf editor/vscode/bundled editor/vscode/out
	$(BIN)/python playground/python_archive.py --files editor/vscode/bundled
	cp LICENSE editor/vscode/
	cd editor/vscode && npm ci --silent --no-audit --no-fund && npx tsc -p . && npm run --silent package

test-editor: editor ## the page in Chromium, the server with Neovim, the extension as far as node goes
	playground/set-up chromium nvim
	cd editor/vscode && PYTHON="$(CURDIR)/$(BIN)/python" npm test --silent
	cd playground && npm test --silent
	$(BIN)/pytest -q -n $(WORKERS) -m "slow or not slow" tests/editor

docs: $(STAMP) ## the documentation as a site, in build/site
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[docs]'
	@# With the playground where node is; it is not installed for the documentation alone.
	if command -v npm >/dev/null; then $(MAKE) playground; fi
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m dotcnn.docs.site.build
	@echo "build/site/index.html"

test-docs: docs ## every command and output of README and docs, the slow ones too; the site's links
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev,outside]'
	$(BIN)/pytest -q -n $(WORKERS) -m "slow or not slow" tests/test_docs.py tests/test_tutorials.py tests/test_explained_codes.py \
	  tests/test_words_of_tools.py tests/test_site.py tests/test_lesson.py

wheel: playground ## the package as it is released, with the page of `cnn play`: dist/
	$(BIN)/python -m build --no-isolation

clean-room: $(STAMP) ## the wheel alone in every Python that is here; then the tests with the oldest packages allowed
	$(BIN)/python tests/clean_room.py wheel
	$(BIN)/python tests/clean_room.py oldest

clean: ## remove what was built and cached; the environment stays
	rm -rf build dist playground/dist playground/node_modules editor/page \
	  editor/vscode/out editor/vscode/bundled editor/vscode/node_modules editor/vscode/dotcnn.vsix *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache $(VENV)/typecheck/.mypy_cache
	find . -path './.venv*' -prune -o -name __pycache__ -prune -exec rm -rf {} +

# Made from nothing every time, so that a requirement taken out of pyproject.toml is gone. The stamp lies inside and
# is written last: a set-up that was interrupted has none. `_base_executable`, because $(PYTHON) may be the one in
# the environment that is about to be removed. setuptools goes first, to build the package without a download.
$(STAMP):
	@base="$$($(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys._base_executable)')" || { \
	  echo "dotcnn needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1)" >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
	echo "Setting up $(VENV): once, and again when pyproject.toml or constraints.txt changes (torch is large)"; \
	rm -rf $(VENV) && "$$base" -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt setuptools
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@# Also where Python is told not to cache what it compiles: start-up would take twice the time.
	@$(BIN)/python -m compileall -q __init__.py __main__.py cli.py dsl compiler training
	@mkdir $(VENV)/typecheck && ln -s "$(CURDIR)" $(ROOT_LINK)
	@echo "$(MADE_FROM)" > $(STAMP)
