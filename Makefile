# Two commands matter: `make course` builds and grades everything, `make test` runs all tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# On machines without a CPU build of torch this spares gigabytes:
#   make course TORCH_INDEX=<PyTorch's CPU index>
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: course test test-colab test-hub test-lab bench audit site notebooks setup clean

course: setup
	$(BIN)/autograder notebooks
	$(BIN)/autograder site
	$(BIN)/autograder demo
	@echo "Site:       $(CURDIR)/_build/html/index.html"

test: setup
	$(PIP) -c constraints.txt $(INDEX) -e '.[teach,test,cluster]'
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Colab's versions in _build/colab: 5 GB once, then every notebook runs there.
test-colab: setup
	$(PIP) -c constraints.txt $(INDEX) -e '.[teach,test,cluster]'
	$(BIN)/python -m pytest -m colab -rs tests/test_colab.py

# JupyterLab in a browser: an explorable and sliders in a notebook.
test-lab: setup
	$(PIP) -c constraints.txt $(INDEX) -e '.[teach,test,lab]'
	$(BIN)/python -m pytest -m lab -rs tests/test_lab.py

# A day on JupyterHub in a browser, and ngshare: 4 GB in _build once. Needs root, for users of its own: sudo make test-hub
test-hub: setup _build/ngshare/client
	$(PIP) -c constraints.txt $(INDEX) -e '.[teach,test,cluster]'
	TORCH_INDEX=$(TORCH_INDEX) $(BIN)/python -m pytest -m 'hub or slow' -rs tests/test_hub.py tests/test_delivery.py::test_ngshare_is_a_way_in

_build/ngshare/client:
	$(PYTHON) -m venv _build/ngshare
	_build/ngshare/bin/pip install --quiet ngshare requests 'sqlalchemy<2'
	_build/ngshare/bin/pip install --quiet --no-deps --target $@ ngshare_exchange

bench: setup
	$(BIN)/autograder bench

audit: setup
	$(BIN)/autograder audit $(EXERCISE)

site: setup
	$(BIN)/autograder site

notebooks: setup
	$(BIN)/autograder notebooks

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; call make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt $(INDEX) torch
	$(PIP) -c constraints.txt $(INDEX) -e '.[teach]'
	touch $@

clean:
	rm -rf _build
