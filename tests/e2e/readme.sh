#!/usr/bin/env bash
#
# The README's recipes, run as they stand there: every line of its ```sh blocks under "Recipes", and of
# those in docs/congestion.md, in a private namespace in which the network is up and peer runs. A
# recipe passes if it exits with 0.

. "$(dirname "$0")/lib.sh"
need_tcpdump
need nc ping curl
need_tun
net_up
peer_start --local fd00:1::5

# The lines of the ```sh blocks between "## Recipes" and the next heading.
awk '/^## /        { inside = $0 == "## Recipes" }
     /^```/        { block = inside && $0 == "```sh"; next }
     block         { print }' README.md >"$WORK/recipes"
awk '/^```/ { block = $0 == "```sh"; next } block' docs/congestion.md >>"$WORK/recipes"
is "there are recipes in the README" "$([ "$(wc -l <"$WORK/recipes")" -ge 10 ] && echo yes)" yes

while IFS= read -r line <&3; do
    if timeout 20 bash -c "$line" >"$WORK/out" 2>"$WORK/err" </dev/null; then
        ok "$line"
    else
        not_ok "$line" "ended with $?" "$(tail -5 "$WORK/out")" "$(tail -5 "$WORK/err")"
    fi
done 3<"$WORK/recipes"
stop $peer
is "peer exits 0" $? 0
finish
