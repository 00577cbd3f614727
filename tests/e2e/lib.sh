# What every end-to-end script shares; sourced first, it moves the script into a network of its own:
#
#   . "$(dirname "$0")/lib.sh"
#
# The script starts again inside private network, mount and process namespaces: as root if it may,
# else in a user namespace of its own. There it is root, /run is empty and its own, and whatever it
# starts ends with it. Nothing reaches the machine's own network.
#
# Results are lines that tests/run.sh counts: "ok - ...", "not ok - ...", "skip - ... # WHY".
# BIN says which build to test: build/bin (the default), or build/asan/bin. OFFLOAD, if it is not empty, is
# what the usual host and peer are told by --offload; BUSY the same of --busy-poll.

set -u
trap 'exit 130' INT # Ctrl-C ends all of it, also where the program of the moment ends in order by it
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
BIN=${BIN:-build/bin}
OFFLOAD=${OFFLOAD-}
BUSY=${BUSY-}
NAME=$(basename "$0" .sh)
case $0 in */bench/*) NAME=bench-$NAME ;; esac

if [ -z "${TWINTUN_INSIDE-}" ]; then
    userns=
    [ "$(id -u)" -eq 0 ] || userns=-Ur
    # A process namespace with a /proc of its own where the system allows that: then nothing that is
    # started here outlives the script.
    for spaces in "-nmpf --kill-child --mount-proc" -nm; do
        # shellcheck disable=SC2086
        unshare $userns $spaces true 2>/dev/null || continue
        # shellcheck disable=SC2086
        TWINTUN_INSIDE=1 exec unshare $userns $spaces bash "$0" "$@"
    done
    echo "skip - $NAME # this system allows no private network namespace (unshare $userns -n)"
    exit 77
fi

mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
# Everything that is written lies in a folder of its own, kept with the logs of the tests.
WORK=$PWD/build/test/$NAME.files
rm -rf "$WORK"
mkdir -p "$WORK"
passed=0 failed=0

leave()
{
    local pids

    pids=$(jobs -p)
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
}
trap leave EXIT

ok()
{
    echo "ok - $NAME: $1"
    passed=$((passed + 1))
}

# not_ok WHAT [DETAIL...]
not_ok()
{
    local line

    echo "not ok - $NAME: $1"
    shift
    for line in "$@"; do
        echo "$line" | sed 's/^/    /' | head -40
    done
    failed=$((failed + 1))
}

skip()
{
    echo "skip - $NAME: $1 # $2"
}

# is WHAT GOT WANT
is()
{
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "got:    $2" "wanted: $3"
    fi
}

# check WHAT COMMAND...: the command succeeds.
check()
{
    local what=$1 out
    shift

    if out=$("$@" 2>&1); then
        ok "$what"
    else
        not_ok "$what" "$* ended with $?" "$out"
    fi
}

finish()
{
    echo "$NAME: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# need COMMAND...: without them the whole script is skipped.
need()
{
    local c

    for c in "$@"; do
        command -v "$c" >/dev/null && continue
        echo "skip - $NAME # $c is not installed"
        exit 77
    done
}

# tcpdump gives up root for another user, which a namespace of one user does not have.
need_tcpdump()
{
    need tcpdump
    [ "$(awk '{ n += $3 } END { print (n > 1) }' /proc/self/uid_map)" = 1 ] && return
    echo "skip - $NAME # tcpdump does not run as the only user of a namespace; run this as root"
    exit 77
}

need_tun()
{
    local why

    if ! why=$(ip tuntap add dev probe0 mode tun 2>&1); then
        echo "skip - $NAME # no TUN here: $why"
        exit 77
    fi
    ip link del probe0
}

# wait_for SECONDS COMMAND...: until it succeeds; false if it never does. On a busy machine, where each
# try takes longer, the seconds do, too.
wait_for()
{
    local tries=$(($1 * 50))
    shift

    while ! "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.02
    done
}

# stop PID [SIGNAL]: and wait for it; its exit status is the result.
stop()
{
    kill -"${2:-TERM}" "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

gone()
{
    ! kill -0 "$1" 2>/dev/null
}

net_up()
{
    "$BIN/netsetup" up >"$WORK/netsetup.out" 2>&1 && return
    not_ok "netsetup up" "$(cat "$WORK/netsetup.out")"
    finish
}

# far_up NAME N [ROUTER]: another namespace, whose kernel is an end of its own at 10.9.N.2, and, where
# there is IPv6, at fd00:9:N::2. This one forwards to it, or the namespace ROUTER, so packets can be
# lost and marked on the way; each segment is a packet.
#
#   10.9.N.2 [NAME] NAME1 === NAME0 [here, forwards] === tun0 or tun1 or another such
#
# False where the system allows none; why is in $WORK/far.err.
far_up()
{
    local router=${3:+-n $3}

    # shellcheck disable=SC2086
    {
        ip netns add "$1" && ip -n "$1" link set lo up &&
            ip $router link add "${1}0" type veth peer name "${1}1" netns "$1" &&
            ip $router addr add "10.9.$2.1/24" dev "${1}0" &&
            ip $router link set "${1}0" gso_max_segs 1 up &&
            ip -n "$1" addr add "10.9.$2.2/24" dev "${1}1" &&
            ip -n "$1" link set "${1}1" gso_max_segs 1 up &&
            ip -n "$1" route add default via "10.9.$2.1" || return 1
        can_speak 6 || return 0
        ip $router addr add "fd00:9:$2::1/64" dev "${1}0" nodad &&
            ip -n "$1" addr add "fd00:9:$2::2/64" dev "${1}1" nodad &&
            ip -n "$1" -6 route add default via "fd00:9:$2::1"
    } 2>"$WORK/far.err"
}

# machine FILE: everything that netsetup may change, as text without counters and clocks: links,
# addresses, routes, groups, the rules of all tables and both variants, sysctls, journals.
machine()
{
    local save

    {
        ip -o link | sed 's/qdisc noop/qdisc pfifo_fast/' # a link that was up once keeps its queue
        ip -o addr | sed -E 's/_lft [0-9]+sec/_lft SEC/g'
        { ip route show table all; ip -6 route show table all; } | sed -E 's/ expires [0-9]+sec//'
        ip -6 maddr
        grep -rs . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/{forwarding,accept_redirects} \
            /proc/sys/net/ipv6/conf/*/{forwarding,accept_ra,force_forwarding}
        ls -d /run/twintun*
        for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
            # asking the legacy variant for a table would create it
            case $save in
            iptables-legacy-save) [ -s /proc/net/ip_tables_names ] ;;
            ip6tables-legacy-save) [ -s /proc/net/ip6_tables_names ] ;;
            esac && $save 2>/dev/null
        done | sed -E -e '/^#/d' -e 's/\[[0-9]+:[0-9]+\]//'
        nft list ruleset | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'
    } >"$1" 2>/dev/null
}

answers()
{
    ping -c 1 -W 1 "$1"
}

# speak 4|6: from now on host and peer_start use that version of IP, and these are the addresses:
#
#   host $host_at -- tun0 $host_side | kernel | $peer_side tun1 -- $peer_at peer ($peer_url)
speak()
{
    case $1 in
    4) host_side=10.0.0.1 host_at=10.0.0.7 peer_side=10.0.1.1 peer_at=10.0.1.5 prefix=24 ;;
    6) host_side=fd00::1 host_at=fd00::7 peer_side=fd00:1::1 peer_at=fd00:1::5 prefix=64 ;;
    esac
    peer_url=http://$peer_at
    [ "$1" = 4 ] || peer_url="http://[$peer_at]"
}
speak 4
peer_by= # a command that runs it, if there is to be one

# can_speak 4|6: false where the kernel cannot.
can_speak()
{
    [ "$1" = 4 ] || [ -e /proc/sys/net/ipv6/conf/all/forwarding ]
}

# peer_start [OPTION...]: start peer and wait until it is ready; its pid is $peer.
peer_start()
{
    rm -f "$WORK/peer.err" # what the last one said is not this one's
    ${peer_by-} "$BIN/peer" ${OFFLOAD:+--offload "$OFFLOAD"} ${BUSY:+--busy-poll "$BUSY"} "$@" tun1 $peer_side/$prefix $host_at </dev/null >"$WORK/peer.out" 2>"$WORK/peer.err" &
    peer=$!
    wait_for 5 grep -q " ready on " "$WORK/peer.err" && return
    not_ok "peer starts" "$(cat "$WORK/peer.err")"
    finish
}

# host [OPTION...]: the usual host, in the foreground.
host()
{
    "$BIN/host" ${OFFLOAD:+--offload "$OFFLOAD"} ${BUSY:+--busy-poll "$BUSY"} "$@" tun0 $host_side/$prefix $peer_at
}

# peer_tells FILE: what peer knows about itself, from its status page; false if it does not answer.
peer_tells()
{
    curl -sS -f -g -m 5 "$peer_url/status.json" >"$1"
}

# told FILE NAME: the number of that name in it, which is 0 for a counter that is not there.
told()
{
    tr ',{}' '\n\n\n' <"$1" | awk -F: -v name="\"$2\"" '$1 == name { n = $2; exit } END { print n + 0 }'
}

sum()
{
    sha256sum <"$1" | cut -d' ' -f1
}

# capture DEVICE FILE [OPTION...]: tcpdump in the background, ready when this returns; its pid is
# $captured. Of many packets at once it keeps few, unless -s says that the front of each is enough.
capture()
{
    rm -f "$2.err" # what the last one said is not this one's
    tcpdump --immediate-mode -i "$1" -nn -U -Z root -w "$2" "${@:3}" 2>"$2.err" &
    captured=$!
    wait_for 5 grep -q 'listening on' "$2.err"
}

# rests PID: it waits for something; so it has read all that was there.
rests()
{
    [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = S ]
}

# capture_end PID...: stop these captures, when they have written what passed until now.
capture_end()
{
    local pid

    for pid in "$@"; do
        wait_for 5 rests "$pid"
        stop "$pid" INT
    done
}

# segments FILE: each TCP segment of a capture as "TTL SRC DST FLAGS SEQ NEXT ACK LABEL", numbers
# absolute; TTL is the hop limit of IPv6, LABEL its flow label or "-".
segments()
{
    tcpdump -nn -S -v -r "$1" tcp 2>/dev/null | awk '
        function behind(re, s) { s = $0; if (!sub(re, "", s)) return "-"; sub(/[^0-9a-f].*/, "", s); return s }
        /^[0-9]/ { ttl = behind(".*(ttl|hlim) "); label = behind(".*flowlabel 0x") }
        /Flags/ {
            sub(/^[0-9].*payload length: [0-9]+\) /, "")
            src = $1; dst = $3; sub(/:$/, "", dst)
            flags = $0; sub(/.*Flags \[/, "", flags); sub(/\].*/, "", flags)
            seq = next_seq = ack = "-"
            if (match($0, /seq [0-9:]+/)) {
                split(substr($0, RSTART + 4, RLENGTH - 4), s, ":")
                seq = s[1]; next_seq = s[2] == "" ? s[1] : s[2]
            }
            if (match($0, /ack [0-9]+/))
                ack = substr($0, RSTART + 4, RLENGTH - 4)
            print ttl, src, dst, flags, seq, next_seq, ack, label
        }'
}
