#!/usr/bin/env bash
# Runs a command on a virtual screen of its own: scripts/virtual_screen.sh COMMAND [ARGUMENT ...]
set -euo pipefail

number="$(mktemp)"
Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3>"$number" >/dev/null 2>&1 &
screen=$!
trap 'kill "$screen" 2>/dev/null || true; rm -f "$number"' EXIT
until [ -s "$number" ]; do
    kill -0 "$screen" 2>/dev/null || { echo "Xvfb did not start" >&2; exit 1; }
    sleep 0.05
done
DISPLAY=":$(tr -d '\n' <"$number")"
export DISPLAY QT_QPA_PLATFORM=xcb
unset WAYLAND_DISPLAY
"$@"
