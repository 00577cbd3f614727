#!/usr/bin/env bash
#
# The README's recipes, run as they stand there: every line of its ```sh blocks under "Recipes", and of
# those in docs/congestion.md, in a private namespace in which the network is up and peer runs. A
# recipe passes if it exits with 0. And the table of docs/congestion.md has the times that its runs take,
# which are the same wherever they run.

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
# "RULES|OPTIONS|SECONDS" of each cell of the table.
awk -F ' *[|] *' '/^[|] `out: / {
    gsub(/`/, "", $2)
    printf "%s||%s\n", $2, $4
    for (n = split($5, w, "; "); n > 0; n--) {
        split(w[n], part, "`")
        printf "%s|--without %s|%s\n", $2, part[2], part[3]
    }
}' docs/congestion.md | sed 's/| *\([0-9.]*\) s[^|]*$/|\1/' >"$WORK/figures"
head -c 300000 /dev/zero >"$WORK/zeros"
n=0
while IFS='|' read -r rules options _; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    timeout 30 "$BIN/host" --in-memory --seed 1 --port 9 --impair "$rules" $options tun0 10.0.0.1/24 10.0.1.5 \
        <"$WORK/zeros" >/dev/null 2>"$WORK/figure.$n" &
    eval "figure$n=\$!"
done <"$WORK/figures"
check "the table of docs/congestion.md has figures" test $n -ge 8
n=0
while IFS='|' read -r rules options seconds; do
    n=$((n + 1))
    eval "wait \$figure$n"
    is "$rules $options: seconds" "$(sed -nE 's/.* in ([0-9.]+) (m?s), [0-9]+ retransmit.*/\1 \2/p' "$WORK/figure.$n" |
        awk '{ printf "%.2f", $2 == "ms" ? $1 / 1000 : $1 }')" "$seconds"
done <"$WORK/figures"

stop $peer
is "peer exits 0" $? 0
finish
