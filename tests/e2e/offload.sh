#!/usr/bin/env bash
#
# Offload at the TUNs: 64 MiB from host to peer at full speed, and 8 MiB where it is at one of them or
# in part, over IPv4 and IPv6, with equal hashes; what was agreed on; captures in which super-segments
# are marked.
# (kernel_tcp.sh has the kernel's TCP as the other end, and handshake.sh runs with it and without.)

. "$(dirname "$0")/lib.sh"
need sha256sum tcpdump
need_tun

file=$WORK/file
head -c 67108864 /dev/urandom >"$file"
head -c 8388608 "$file" >"$WORK/part"
net_up

# carry HOST PEER FILE: from host to peer, with these at their TUNs.
carry()
{
    local what="IPv$version: offload $1 at host, $2 at peer" status
    OFFLOAD=$2 peer_start --session cat --once
    OFFLOAD=$1 host <"$3" >"$WORK/host.out" 2>"$WORK/host.err"
    status=$?
    wait_for 10 gone $peer || stop $peer
    is "$what: host exits 0" $status 0
    check "$what: $(stat -c %s "$3") bytes arrive whole" test "$(sum "$WORK/peer.out")" = "$(sum "$3")"
}

for version in 4 6; do
    can_speak $version || { skip "IPv$version" "this kernel has no IPv$version"; continue; }
    speak $version
    carry csum,tso4,tso6,uso csum,tso4,tso6,uso "$file"
    check "IPv$version: host says what was agreed on" grep -qx "host: offload on tun0: csum,tso4,tso6,uso" "$WORK/host.err"
    carry auto off "$WORK/part"
    carry off auto "$WORK/part"
    carry csum tso4 "$WORK/part"
    carry off join "$WORK/part"
done

# Nobody but the kernel copies what is carried: neither by the nodes' own account nor by that of the C
# library's functions, which are counted from outside. There and back, so that each node sends and receives.
copied() # NODE FILE BYTES: so many of those in FILE, which is less than one in a hundred?
{
    local carried=$(($(told "$2" bytes_in) + $(told "$2" bytes_out)))
    [ "$carried" -ge $((2 * 67108864)) ] || carried=0
    check "$1 copies $3 of $carried bytes" test "${3:-$carried}" -lt $((carried / 100))
}
counter=
[ "$BIN" != build/bin ] || # what the sanitizers are built into cannot be preloaded
    { cc -D_GNU_SOURCE -shared -fPIC -fno-builtin -O2 -o "$WORK/copies.so" tests/tools/preload/copies.c && counter=$WORK/copies.so; }
OFFLOAD=auto LD_PRELOAD=$counter COPIES_TO=$WORK/copies peer_start
OFFLOAD=auto LD_PRELOAD=$counter COPIES_TO=$WORK/copies host --json <"$file" 2>"$WORK/host.json" | sha256sum |
    cut -d' ' -f1 >"$WORK/back"
is "64 MiB there and back" "$(cat "$WORK/back")" "$(sum "$file")"
"$BIN/peer" --status --json >"$WORK/peer.json"
stop $peer
for node in host peer; do
    copied $node "$WORK/$node.json" "$(told "$WORK/$node.json" bytes_copied)"
    if [ -n "$counter" ]; then
        copied "$node, as counted from outside," "$WORK/$node.json" "$(cat "$WORK/copies.$node")"
    else
        skip "$node: copies counted from outside" "this build has the sanitizers"
    fi
done

# What it looks like, from both ends.
speak 4
head -c 2000000 "$file" >"$WORK/less"
OFFLOAD=auto
peer_start --pcap "$WORK/peer.pcapng"
host --port 9 --pcap "$WORK/host.pcapng" <"$WORK/less" 2>"$WORK/host.err"
check "peer's status says what is left to its TUN" sh -c "'$BIN/peer' --status | grep -qx 'left to tun1: csum,tso4,tso6,uso'"
check "and as JSON" sh -c "'$BIN/peer' --status --json | grep -q '\"offload\":\"csum,tso4,tso6,uso\"'"
stop $peer
for node in host peer; do
    tcpdump -nn -r "$WORK/$node.pcapng" 'dst port 9 and greater 3000' >"$WORK/large" 2>/dev/null
    large=$(wc -l <"$WORK/large")
    check "$node's capture has super-segments ($large)" test "$large" -gt 10
    is "and each of them is marked" \
        "$(grep -ao 'super-segment: the device cuts it every 1448 bytes' "$WORK/$node.pcapng" | wc -l)" \
        "$(tcpdump -nn -r "$WORK/$node.pcapng" 'dst port 9 and greater 1501' 2>/dev/null | wc -l)"
done

# Single segments are joined as they are read: TCP sees fewer packets than came. (8 MiB are 5,794 segments.)
OFFLOAD=join peer_start
OFFLOAD=off host --port 9 <"$WORK/part" 2>"$WORK/host.err"
"$BIN/peer" --status --json >"$WORK/peer.json"
seen=$(told "$WORK/peer.json" packets_in)
check "8 MiB in single segments are taken as $seen packets" test "$seen" -gt 700 -a "$seen" -lt 5000
stop $peer

# --impair takes packets as they are on a wire.
host --impair 'delay 1ms' --offload tso4 </dev/null >"$WORK/host.out" 2>"$WORK/host.err"
is "a list of them and --impair: a word, and exit 2" "$? $(wc -l <"$WORK/host.err")" "2 1"
finish
