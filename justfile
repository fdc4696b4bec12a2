# List the recipes.
default:
    @just --list --unsorted

# Start everything on this machine, with the demo district: the desk's address is printed.
up *arguments:
    ./xiapai up {{arguments}}

# Pass the tests; arguments are pytest's.
test *arguments:
    ./xiapai test {{arguments}}

# Measure every path beside its peers; arguments are the bench's: `just bench --only append --quick`.
bench *arguments:
    ./xiapai bench {{arguments}}

# Read the code: ruff, mypy, import-linter, generated contracts.
check:
    deploy/check

# Format the code and mend what can be mended by itself.
fmt:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Generate the JSON Schemas and the AsyncAPI document from the event types.
contracts:
    .venv/bin/python -m xiapai_contracts.generate

# Start from nothing, see the demo's figures, stop.
smoke:
    deploy/smoke.py

# What CI runs.
ci:
    .ci/run

# Pin every dependency anew, by hash.
lock:
    uv pip compile pyproject.toml {{pin}} --group build -o locks/runtime.txt
    uv pip compile {{pin}} --group embedded -o locks/embedded.txt
    uv pip compile pyproject.toml {{pin}} --group build --group embedded --group dev -o locks/dev.txt
    uv pip compile {{pin}} --group bench -c locks/dev.txt -o locks/bench.txt
    echo uv | uv pip compile - {{pin}} -o locks/uv.txt

pin := "-q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-package xiapai-contracts"
