#!/usr/bin/env bash
#
# The kernel's TCP at the other end, in both roles:
#
#   ksock (kernel's TCP) --- tun1 === peer      the kernel opens
#   ksock (kernel's TCP) --- tun0 === host      the kernel listens
#
# 64 MiB each way at once, for timestamps, SACK and window scaling switched on and off on its side in
# all eight combinations: what arrives has the hash of what was sent, and the kernel says which of
# them were negotiated. Then the same where packets are lost, and half-closed connections.

. "$(dirname "$0")/lib.sh"
need_tun
TOOLS=${TOOLS:-build/release/tools}
SIZE=67108864
speaks="timestamps sack wscale"

# Whole captures need tcpdump, and another user for it to become.
can_capture()
{
    command -v tcpdump >/dev/null && [ "$(awk '{ n += $3 } END { print (n > 1) }' /proc/self/uid_map)" = 1 ]
}

net_up
sysctl -qw net.ipv4.tcp_ecn=0
head -c $SIZE /dev/urandom >"$WORK/ours"
head -c $SIZE /dev/urandom >"$WORK/theirs"
ours=$(sum "$WORK/ours") theirs=$(sum "$WORK/theirs")
rm -f "$WORK/nothing" && : >"$WORK/nothing"

# Where the kernel's end is: here, or in another namespace behind a router.
at='' address=10.0.0.1

# passive WORDS OURS THEIRS [OPTION...]: the kernel connects to peer, each side sends its file.
# Their outcome is in $peer_code, $kernel_code, got.ours and got.theirs.
passive()
{
    local words=$1 from_us=$2 from_them=$3
    shift 3

    rm -f "$WORK"/*.err
    timeout 60 "$BIN/peer" ${OFFLOAD:+--offload "$OFFLOAD"} --once --session cat "$@" tun1 10.0.1.1/24 10.0.0.7 \
        <"$from_us" >"$WORK/got.theirs" 2>"$WORK/node.err" &
    peer=$!
    wait_for 5 grep -q ready "$WORK/node.err"
    # shellcheck disable=SC2086
    $at timeout 60 "$TOOLS/ksock" connect 10.0.1.5 8000 $words <"$from_them" >"$WORK/got.ours" 2>"$WORK/kernel.err"
    kernel_code=$?
    wait $peer
    node_code=$?
}

# active WORDS OURS THEIRS [OPTION...]: host connects to the kernel.
active()
{
    local words=$1 from_us=$2 from_them=$3
    shift 3

    rm -f "$WORK"/*.err
    # shellcheck disable=SC2086
    $at timeout 60 "$TOOLS/ksock" listen $address 9000 $words <"$from_them" >"$WORK/got.ours" 2>"$WORK/kernel.err" &
    kernel=$!
    wait_for 5 grep -q listening "$WORK/kernel.err"
    timeout 60 "$BIN/host" ${OFFLOAD:+--offload "$OFFLOAD"} "$@" --port 9000 tun0 10.0.0.1/24 $address \
        <"$from_us" >"$WORK/got.theirs" 2>"$WORK/node.err"
    node_code=$?
    wait $kernel
    kernel_code=$?
}

# judge WHAT OURS THEIRS: both ends closed in order, and each has what the other sent.
judge()
{
    if [ "$node_code $kernel_code" = "0 0" ] && [ "$(sum "$WORK/got.ours")" = "$2" ] &&
        [ "$(sum "$WORK/got.theirs")" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "the node ended with $node_code, the kernel's end with $kernel_code" \
            "$(ls -l "$WORK")" "$(cat "$WORK"/*.err)"
    fi
}

# kernel_speaks TIMESTAMPS SACK WSCALE: 1 or 0 each.
kernel_speaks()
{
    $at sysctl -qw net.ipv4.tcp_timestamps="$1" net.ipv4.tcp_sack="$2" net.ipv4.tcp_window_scaling="$3"
    wanted=
    case " $speaks " in *" timestamps "*) [ "$1" -eq 1 ] && wanted="$wanted timestamps" ;; esac
    case " $speaks " in *" sack "*) [ "$2" -eq 1 ] && wanted="$wanted sack" ;; esac
    case " $speaks " in *" wscale "*) [ "$3" -eq 1 ] && wanted="$wanted wscale" ;; esac
}

negotiated()
{
    sed -n 's/^options//p' "$WORK/kernel.err"
}

for combination in "1 1 1" "1 1 0" "1 0 1" "1 0 0" "0 1 1" "0 1 0" "0 0 1" "0 0 0"; do
    # shellcheck disable=SC2086
    kernel_speaks $combination
    # shellcheck disable=SC2086
    what=$(printf 'timestamps %s, SACK %s, window scaling %s' $combination | sed 's/ 1/ on/g; s/ 0/ off/g')
    for role in passive active; do
        $role "" "$WORK/ours" "$WORK/theirs"
        judge "$what, we are $role: 64 MiB each way" "$ours" "$theirs"
        is "$what, we are $role: the kernel negotiated" "$(negotiated)" "$wanted"
    done
done

# What we switch off is off, whatever the kernel would like.
kernel_speaks 1 1 1
for role in passive active; do
    $role "" "$WORK/nothing" "$WORK/nothing" --no-timestamps --no-sack --no-window-scaling --no-ecn
    is "we are $role, and offer nothing: the kernel negotiated" "$(negotiated)" ""
    is "and both close in order" "$node_code $kernel_code" "0 0"
done

# Half-closed: one side has sent nothing and closed; the other sends all the same.
for role in passive active; do
    $role after "$WORK/nothing" "$WORK/theirs"
    judge "we are $role and close at once; then the kernel sends 64 MiB" "$(sum "$WORK/nothing")" "$theirs"
    $role "" "$WORK/ours" "$WORK/nothing"
    judge "we are $role, the kernel closes at once; we send 64 MiB" "$ours" "$(sum "$WORK/nothing")"
done

# On the wire: what the SYNs offer, and whether the other segments keep to it.
if can_capture; then
    kernel_speaks 1 1 1
    head -c 100000 "$WORK/ours" >"$WORK/ours.part"
    for role in passive active; do
        tun=tun1 && [ $role = active ] && tun=tun0
        capture $tun "$WORK/$role.pcap"
        $role "" "$WORK/ours.part" "$WORK/ours.part" --dscp 46 --ttl 9
        capture_end $captured
        tcpdump -nn -v -r "$WORK/$role.pcap" tcp 2>/dev/null >"$WORK/$role.txt"
        is "we are $role: both SYNs offer MSS, timestamps and window scaling" \
            "$(grep 'Flags \[S' "$WORK/$role.txt" | grep mss | grep TS | grep -c wscale)" 2
        is "we are $role: segments without timestamps" \
            "$(grep 'Flags' "$WORK/$role.txt" | grep -v 'Flags \[R' | grep -vc 'TS val')" 0
        is "we are $role: the DSCP and TTL that we were told, on all we send" \
            "$(grep -B1 -E '^ +10\.0\.[01]\.[57]\.[0-9]+ >' "$WORK/$role.txt" |
                grep -c '^[0-9].*IP' | sed 's/^0$/none/')" \
            "$(grep -B1 -E '^ +10\.0\.[01]\.[57]\.[0-9]+ >' "$WORK/$role.txt" |
                grep -c '^[0-9].*IP (tos 0xb8, ttl 9,')"
        check "we are $role: there are segments" test "$(grep -c Flags "$WORK/$role.txt")" -ge 10
    done
else
    skip "options on the wire" "no tcpdump, or a namespace of one user"
fi

# The kernel's end moves behind a router, which is this namespace: there packets can be lost and marked,
# each of them one segment.
OFFLOAD=off

if ! far_up far 0; then
    skip "lost and marked packets" "no second namespace here: $(head -1 "$WORK/far.err")"
    finish
fi
at="ip netns exec far" address=10.9.0.2
$at sysctl -qw net.ipv4.tcp_ecn=0
head -c 8388608 "$WORK/ours" >"$WORK/ours.part"
head -c 8388608 "$WORK/theirs" >"$WORK/theirs.part"

# blocks ADDRESS: segments from there in the last capture that say what is beyond a gap.
blocks()
{
    tcpdump -nn -r "$WORK/lossy.pcap" tcp 2>/dev/null | grep -cE "IP $1[.0-9]* > .*sack [1-4] \{"
}

# One packet in a hundred is lost, both ways. Both ends say what they have beyond the gap, if they may.
lossy=(FORWARD -p tcp -m statistic --mode random --probability 0.01 -j DROP)
if iptables -w -A "${lossy[@]}" 2>"$WORK/iptables.err"; then
    for role in passive active; do
        us=10.0.1.5
        [ $role = active ] && us=10.0.0.7
        for sack in 1 0; do
            kernel_speaks 1 $sack 1
            can_capture && capture far0 "$WORK/lossy.pcap"
            $role "" "$WORK/ours.part" "$WORK/theirs.part"
            judge "a hundredth is lost, SACK is $sack, we are $role: 8 MiB each way" \
                "$(sum "$WORK/ours.part")" "$(sum "$WORK/theirs.part")"
            can_capture || continue
            capture_end $captured
            from_us=$(blocks $us) from_kernel=$(blocks 10.9.0.2)
            check "with SACK $sack: $from_us segments of ours have blocks, $from_kernel of the kernel's" \
                test $((from_us > 0)) -eq $sack -a $((from_kernel > 0)) -eq $sack
        done
    done
    iptables -w -D "${lossy[@]}"
    rm -f "$WORK/lossy.pcap"
else
    skip "lost packets" "this kernel has no iptables match 'statistic'"
fi

# ECN: spoken with the kernel; the router marks one in fifty full packets, and each end tells the other.
heard()
{
    $at awk '/^TcpExt:/ { for (i in h) if (h[i] == "TCPDeliveredCE") n = $i; split($0, h) }
        END { print n + 0 }' /proc/net/netstat
}

marks=(FORWARD -p tcp -m length --length 1000: -m statistic --mode random --probability 0.02 -j TOS --set-tos 3/3)
$at sysctl -qw net.ipv4.tcp_ecn=1
kernel_speaks 1 1 1
if iptables -w -t mangle -A "${marks[@]}" 2>"$WORK/iptables.err"; then
    for role in passive active; do
        before=$(heard)
        $role "" "$WORK/ours.part" "$WORK/theirs.part" --json
        judge "with ECN, we are $role: 8 MiB each way" "$(sum "$WORK/ours.part")" "$(sum "$WORK/theirs.part")"
        is "with ECN, we are $role: the kernel negotiated" "$(negotiated)" "$wanted ecn"
        heard=$(($(heard) - before)) reduced=$(told "$WORK/node.err" recovery.ecn)
        check "the kernel heard of $heard marks from us" test $heard -gt 0
        check "and told us of marks: we slowed down $reduced times" test "$reduced" -gt 0
    done
else
    skip "marked packets" "this kernel has no iptables target 'TOS'"
fi

rm -f "$WORK"/got.* "$WORK"/ours* "$WORK"/theirs*
finish
