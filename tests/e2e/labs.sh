#!/usr/bin/env bash
#
# Labs of another kind than the usual: other devices, addresses and MTU, for a group, for several
# descriptors, three nodes; and users who may do nothing run the nodes, after one `up --user`.

. "$(dirname "$0")/lib.sh"
need_tun
NETSETUP=$BIN/netsetup

# netsetup WHAT WANT ARGUMENT...: it ends with WANT.
netsetup()
{
    "$NETSETUP" "${@:3}" >"$WORK/out" 2>&1
    is "$1" "$?: $(sed -n 1p "$WORK/out" | grep -oE 'is |belongs|made for' | head -1)" "$2: "
}

restored()
{
    machine "$WORK/after"
    is "$1" "$(diff "$WORK/before" "$WORK/after")" ""
}

echo 0 >/proc/sys/net/ipv4/ip_forward
machine "$WORK/before"

# Three nodes, each with what it needs and no more.
nodes='lab0=10.5.0.1/24,fd05::1/64 lab1=10.5.1.1/24 lab.2=10.5.2.1/30'
netsetup "up with three nodes" 0 up --nodes "$nodes" --mtu 4000
is "their addresses are there" "$(ip -o -4 addr show to 10.5.0.0/16 | awk '{ print $2, $4 }' | tr '\n' ' ')" \
    "lab0 10.5.0.1/24 lab1 10.5.1.1/24 lab.2 10.5.2.1/30 "
is "and their MTU" "$(ip -o link | grep -cE ': lab.* mtu 4000 ')" 3
check "status remembers them" "$NETSETUP" status
check "and shows them" grep -q '^lab.2 .* mtu 4000' <("$NETSETUP" status)
is "up again has nothing to do" "$("$NETSETUP" up --nodes "$nodes" --mtu 4000 2>&1)" \
    "netsetup: nothing to do: it is up already"
"$BIN/peer" lab1 10.5.1.1/24 10.5.0.7 </dev/null >/dev/null 2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q ' ready on ' "$WORK/peer.err"
"$BIN/peer" lab.2 10.5.2.1/30 10.5.0.7 --local 10.5.2.2 </dev/null >/dev/null 2>"$WORK/peer2.err" &
second=$!
wait_for 5 grep -q ' ready on ' "$WORK/peer2.err"
check "status says who is attached" grep -q "^lab1 .* node attached (peer, process $peer), mtu" \
    <("$NETSETUP" status)
is "the first answers" "$(echo one | "$BIN/host" lab0 10.5.0.1/24 10.5.1.5 2>/dev/null)" one
is "so does the second" "$(echo two | "$BIN/host" lab0 10.5.0.1/24 10.5.2.2 2>/dev/null)" two
stop $peer
stop $second
netsetup "down" 0 down
restored "it takes back all three"

# Another lab beside the usual one.
"$NETSETUP" -q up
netsetup "a second lab, of its own name" 0 up --lab second --nodes 'labA=10.6.0.1/24 labB=10.6.1.1/24'
"$NETSETUP" -q down
check "the end of the first leaves the second" "$NETSETUP" status --lab second
is "the first is gone" "$(ls -d /sys/class/net/tun* 2>/dev/null; ip -o link | grep -c ' tun')" 0
netsetup "the end of the second" 0 down --lab second
restored "takes back the rest"

# The MTU of a TUN that was there already.
ip tuntap add dev tun0 mode tun user 0
machine "$WORK/before"
netsetup "up with an MTU, where a TUN is there" 0 up --mtu 3000
is "it has that now" "$(cat /sys/class/net/tun0/mtu 2>/dev/null || ip -o link show tun0 | grep -o 'mtu 3000')" \
    "mtu 3000"
"$NETSETUP" -q down
restored "and afterwards the one that it had"
"$NETSETUP" -q up --mtu 3000
ip link set tun0 mtu 2000
"$NETSETUP" -q down
is "one that somebody has set since stays" "$(ip -o link show tun0 | grep -o 'mtu 2000')" "mtu 2000"
ip link delete tun0

# Point to point.
machine "$WORK/before"
netsetup "up, point to point" 0 up --peer
is "the addresses have a far end" "$(ip -o addr show dev tun0 | grep -oE '(10.0.0.1 peer 10.0.0.7/32|fd00::1 peer fd00::7/128)' |
    wc -l)" 2
is "and no subnet is routed" "$(ip route | grep -c 10.0.0.0/24; ip route get 10.0.1.5 | grep -o 'dev tun1')" "0
dev tun1"
is "up again has nothing to do" "$("$NETSETUP" up --peer 2>&1)" "netsetup: nothing to do: it is up already"
check "status remembers it" "$NETSETUP" status
peer_start
is "packets pass" "$(echo far | "$BIN/host" tun0 10.0.0.1/24 10.0.1.5 2>"$WORK/err")" far
stop $peer
"$NETSETUP" -q down
restored "down takes all of it"
"$NETSETUP" plan --peer -o devices | bash -e >"$WORK/out" 2>&1
is "the plan's lines do what up does" "$("$NETSETUP" plan --peer -o devices)" "# nothing to do: it is up already"
ip link delete tun0
ip link delete tun1

# Groups and descriptors.
netsetup "up for a group" 0 up --group 0
check "no user owns the TUN, and the group does" grep -q 'tun type tun pi off vnet_hdr off persist on group root' \
    <(ip -d link show tun0)
"$NETSETUP" up --group 7 >"$WORK/out" 2>&1
is "not for another one: 5" $? 5
check "which is said" grep -q 'tun0 is for group id 0, not 7' "$WORK/out"
"$NETSETUP" -q down
netsetup "up for several descriptors" 0 up --queues
check "they may be attached" grep -q 'multi_queue' <(ip -d link show tun0)
"$NETSETUP" -q down
for words in "--mtu 1279" "--group no-such-group" "--nodes tun0" "--nodes tun0=10.0.0.0.1/24"; do
    "$NETSETUP" up $words >"$WORK/out" 2>&1
    is "$words: 2" "$? $(wc -l <"$WORK/out")" "2 1"
done

# One `up --user`, and that user needs nothing more.
user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
mkdir -m 755 "$WORK/any" && cp "$BIN"/{host,peer} "$WORK/any/" && chmod 755 "$WORK" "$WORK"/any/*
if ! "${user[@]}" "$WORK/any/host" --version >/dev/null 2>&1 || ! mknod -m 666 "$WORK/tun" c 10 200 2>/dev/null
then
    skip "nodes of a user" "no other user can be had here, or none that may read this folder"
    finish
fi
mount --bind "$WORK/tun" /dev/net/tun
if setcap cap_net_admin+ep "$WORK/any/peer" 2>/dev/null; then
    "${user[@]}" "$WORK/any/peer" tun1 10.0.1.1/24 10.0.0.7 </dev/null >/dev/null 2>"$WORK/peer.err" &
    peer=$!
    check "with the capability, a user's peer makes its TUN" wait_for 5 grep -q ' ready on ' "$WORK/peer.err"
    check "and answers on it" ping -c 1 -W 2 10.0.1.5
    is "and has given it up by then" "$(sed -n 's/^CapEff:\t//p' /proc/$peer/status)" 0000000000000000
    stop $peer
    setcap -r "$WORK/any/peer"
else
    skip "with the capability" "no file can have one here"
fi
"$NETSETUP" -q up --user 65534
"${user[@]}" "$WORK/any/peer" tun1 10.0.1.1/24 10.0.0.7 </dev/null >/dev/null 2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q ' ready on ' "$WORK/peer.err"
is "a user who may do nothing runs both nodes" \
    "$(echo hello | "${user[@]}" "$WORK/any/host" tun0 10.0.0.1/24 10.0.1.5 2>"$WORK/err")" hello
is "another user may not" "$(setpriv --reuid 65533 --regid 65533 --clear-groups "$WORK/any/host" tun0 \
    10.0.0.1/24 10.0.1.5 </dev/null >/dev/null 2>&1; echo $?)" 4
stop $peer
"$NETSETUP" -q down
"$NETSETUP" -q up --group 65532
"${user[@]}" "$WORK/any/peer" --once tun1 10.0.1.1/24 10.0.0.7 </dev/null >/dev/null 2>"$WORK/peer.err"
is "who is not in the group may not" $? 4
is "who is, may" "$(setpriv --reuid 65533 --regid 65532 --clear-groups sh -c '
    "$0/any/peer" tun1 10.0.1.1/24 10.0.0.7 </dev/null >/dev/null 2>&3 &
    for i in $(seq 500); do grep -q " ready on " "$0/group.err" && break; sleep 0.02; done
    echo hello | "$0/any/host" tun0 10.0.0.1/24 10.0.1.5 2>/dev/null; kill $!' "$WORK" 3>"$WORK/group.err")" hello
"$NETSETUP" -q down
finish
