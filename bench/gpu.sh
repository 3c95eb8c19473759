#!/usr/bin/env bash
# Runs Quintet on this machine's NVIDIA GPU for at most six minutes and prints a Markdown report:
#     bench/gpu.sh [--package DIR]
# `make gpu-package` packs what it needs. Without a GPU it says so and ends with 1.
set -euo pipefail
exec python3 -B "$(dirname "$0")/gpu/report.py" "$@"
