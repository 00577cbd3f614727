#!/usr/bin/env bash
#
# make bench: how fast a file goes from host to peer, through the kernel, in a private network
# namespace. A first measurement: one connection, plain 1,500-byte packets, one system call for each,
# no offload; so this is a floor to build on, not what the design can do.

. "$(dirname "$0")/../e2e/lib.sh"
need_tun

SIZE=$((256 * 1048576))
net_up
best=0
for round in 1 2 3; do
    peer_start --session discard
    head -c $SIZE /dev/zero >"$WORK/zeros"
    start=$(date +%s%N)
    host --quiet <"$WORK/zeros" >/dev/null || not_ok "host ended with $?"
    took=$((($(date +%s%N) - start) / 1000))
    stop $peer
    rate=$((SIZE * 8 / took))
    [ $rate -gt $best ] && best=$rate
    echo "round $round: 256 MiB in $((took / 1000)) ms, $((rate / 1000)).$(printf '%03d' $((rate % 1000))) Gbit/s"
done
echo "best: $((best / 1000)).$(printf '%03d' $((best % 1000))) Gbit/s host to peer (one connection, no offload, $(nproc) CPUs, Linux $(uname -r))"
rm -f "$WORK/zeros"
[ "$failed" -eq 0 ]
