#!/bin/bash
# netsetup against a real kernel, in a network namespace of its own: what it makes, that it takes
# back exactly that, and that what belongs to others is never touched.
#
#   BIN=build/bin tests/e2e/netsetup.sh
#
# Each case starts from a namespace in some condition, takes a snapshot of everything that could
# be changed, runs `up` and `down`, and compares.
set -u

BIN=$(cd "${BIN:-build/bin}" 2>/dev/null && pwd) || { echo "skip: no programs in ${BIN:-build/bin}"; exit 77; }
NETSETUP=$BIN/netsetup
PATH=$PATH:/usr/sbin:/sbin
[ -x "$NETSETUP" ] || { echo "skip: $NETSETUP is not built"; exit 77; }

# ---- a namespace of our own ----

if [ -z "${NETSETUP_TEST_INSIDE:-}" ]; then
    for tool in unshare ip; do
        command -v $tool >/dev/null || { echo "skip: there is no $tool"; exit 77; }
    done
    export NETSETUP_TEST_INSIDE=1
    if [ "$(id -u)" = 0 ]; then
        unshare -nm true 2>/dev/null && exec unshare -nm "$BASH" "$0" "$@"
    fi
    unshare -Urn true 2>/dev/null && exec unshare -Urn "$BASH" "$0" "$@"
    echo "skip: no network namespace can be made here (see kernel.unprivileged_userns_clone)"
    exit 77
fi
[ -c /dev/net/tun ] || { echo "skip: /dev/net/tun is missing"; exit 77; }
(: <>/dev/net/tun) 2>/dev/null || { echo "skip: /dev/net/tun may not be opened (chmod 666)"; exit 77; }

TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
passed=0
failed=0

# As root: a device file of our own that every user may open, whatever the machine's allows.
if mknod -m 666 "$TMP/tun" c 10 200 2>/dev/null && (: <>"$TMP/tun") 2>/dev/null; then
    chmod 755 "$TMP"
    mount --bind "$TMP/tun" /dev/net/tun
fi

ok() {
    passed=$((passed + 1))
    echo "ok - $1"
}

not_ok() {
    failed=$((failed + 1))
    echo "not ok - $1"
    shift
    printf '    %s\n' "$@" | head -40
}

have() {
    command -v "$1" >/dev/null
}

# check NAME COMMAND...: the command succeeds
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$*" "$out"; fi
}

# exits NAME CODE COMMAND...: the command ends with this code
exits() {
    local name=$1 want=$2 out code
    shift 2
    out=$("$@" 2>&1)
    code=$?
    if [ $code = "$want" ]; then
        ok "$name"
    else
        not_ok "$name" "exit code $code instead of $want" "$out"
    fi
}

# says NAME CODE TEXT COMMAND...: it ends with this code and one line on standard error with TEXT
says() {
    local name=$1 want=$2 text=$3 out code
    shift 3
    out=$("$@" 2>&1 >/dev/null)
    code=$?
    if [ $code = "$want" ] && [ "$(wc -l <<<"$out")" = 1 ] && [[ $out == *"$text"* ]]; then
        ok "$name"
    else
        not_ok "$name" "exit code $code (wanted $want), wanted one line with '$text', got:" "$out"
    fi
}

same() {
    if diff=$(diff "$2" "$3"); then ok "$1"; else not_ok "$1" "$diff"; fi
}

# ---- the machine's state as text ----

strip() {
    sed -E -e '/^#/d' -e 's/\[[0-9]+:[0-9]+\]//' -e 's/counter packets [0-9]+ bytes [0-9]+//'
}

snapshot() {
    {
        echo "== links"
        # a link that has been up once keeps its queue; nobody can put that back
        ip -o link | sed 's/qdisc noop/qdisc pfifo_fast/'
        echo "== addresses"
        ip -o addr | sed -E 's/_lft [0-9]+sec/_lft SEC/g'
        echo "== routes"
        { ip route show table all; ip -6 route show table all; } | sed -E 's/ expires [0-9]+sec//'
        echo "== groups"
        ip -6 maddr
        awk '{ print $2, $3, $4 }' /proc/net/anycast6
        echo "== sysctls"
        grep -r . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
            /proc/sys/net/ipv4/conf/*/accept_redirects
        grep -r . "$CONF6"/*/{forwarding,accept_ra,accept_redirects,disable_ipv6,force_forwarding} \
            2>/dev/null # older kernels have not all of them
        for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
            # asking the legacy variant for a table would create it
            case $save in
            iptables-legacy-save) [ -s /proc/net/ip_tables_names ] ;;
            ip6tables-legacy-save) [ -s /proc/net/ip6_tables_names ] ;;
            *) true ;;
            esac && have $save && echo "== $save" && $save 2>/dev/null | strip
        done
        if have nft; then
            echo "== nft"
            nft list ruleset 2>/dev/null | strip
        fi
    } >"$1"
}

# round_trip NAME: up and down leave the snapshot as it was
round_trip() {
    local code
    snapshot "$TMP/before"
    "$NETSETUP" up >"$TMP/out" 2>&1
    code=$?
    [ $code = 0 ] || not_ok "$1: up" "exit code $code" "$(cat "$TMP/out")"
    check "$1: status says up" "$NETSETUP" status
    "$NETSETUP" down >"$TMP/out" 2>&1
    code=$?
    [ $code = 0 ] || not_ok "$1: down" "exit code $code" "$(cat "$TMP/out")"
    snapshot "$TMP/after"
    same "$1: down restores everything" "$TMP/before" "$TMP/after"
}

forward() {
    echo "$1" >/proc/sys/net/ipv4/ip_forward
}

forward6() {
    echo "$1" >"$CONF6/all/forwarding"
}

# ---- what up makes ----

ip link set lo up
forward 0
CONF6=/proc/sys/net/ipv6/conf
ipv6=yes
if [ -d $CONF6 ] && [ "$(cat $CONF6/default/disable_ipv6)" = 0 ]; then
    forward6 0
else
    ipv6=
fi

case_up() {
    exits "status before up is 3" 3 "$NETSETUP" status
    snapshot "$TMP/clean"
    "$NETSETUP" plan >"$TMP/plan"
    check "plan has a line for each change" test "$(wc -l <"$TMP/plan")" = $((9 + ${ipv6:+5}))
    check "five of them for IPv6" test "$(grep -c 6 "$TMP/plan")" = $((0 + ${ipv6:+5}))
    snapshot "$TMP/planned"
    same "plan and status change nothing" "$TMP/clean" "$TMP/planned"
    says "up counts the lines of the plan" 0 "up: $(wc -l <"$TMP/plan") changes" "$NETSETUP" up
    check "tun0 has its address" grep -q 10.0.0.1/24 <(ip addr show tun0)
    check "tun1 has its address" grep -q 10.0.1.1/24 <(ip addr show tun1)
    check "tun0 is a persistent TUN of this user" \
        grep -Eq "tun type tun .*persist on user $(id -un)" <(ip -d link show tun0)
    check "tun1 is up" grep -q '<.*UP.*>' <(ip link show tun1)
    check "the connected route is there" grep -q '10.0.1.0/24 dev tun1' <(ip route)
    check "ip_forward is 1" grep -q 1 /proc/sys/net/ipv4/ip_forward
    if [ $ipv6 ]; then
        check "tun0 has its IPv6 address" grep -q 'fd00::1/64 .*nodad' <(ip addr show tun0)
        check "tun1 has its IPv6 address" grep -q fd00:1::1/64 <(ip addr show tun1)
        check "neither waits for anything" test -z "$(ip -6 addr show tentative)"
        check "so is IPv6's connected route" grep -q 'fd00:1::/64 dev tun1' <(ip -6 route)
        check "and its forwarding" grep -q 1 $CONF6/all/forwarding
        check "its rules, too" test "$(ip6tables -t raw -S PREROUTING | grep -c twintun)" = 2
        check "status shows both" grep -q '^forwarding6 1, set by netsetup' <("$NETSETUP" status)
    fi
    exits "status is 0" 0 "$NETSETUP" status
    snapshot "$TMP/up"
    says "up again has nothing to do" 0 "nothing to do" "$NETSETUP" up
    snapshot "$TMP/again"
    same "up twice changes nothing" "$TMP/up" "$TMP/again"
    check "plan when up is empty" grep -q '^# nothing to do' <("$NETSETUP" plan)
    says "down counts the same" 0 "down: $(wc -l <"$TMP/plan") changes undone" "$NETSETUP" down
    snapshot "$TMP/down"
    same "down restores everything" "$TMP/clean" "$TMP/down"
    says "down again has nothing to do" 0 "nothing to undo" "$NETSETUP" down
    check "no journal is left" test ! -e /run/twintun/net-"$(stat -Lc %i /proc/self/ns/net)".json
}

# the lines of `plan`, pasted into a shell, do what `up` does
case_plan() {
    have iptables || return 0
    bash -e "$TMP/plan" >"$TMP/out" 2>&1 || not_ok "the plan's lines run" "$(cat "$TMP/out")"
    snapshot "$TMP/pasted"
    sed -E -e 's/^[0-9]+:[ \t]//' -e 's/\\.*//' "$TMP/pasted" | sort >"$TMP/a"
    sed -E -e 's/^[0-9]+:[ \t]//' -e 's/\\.*//' "$TMP/up" | sort >"$TMP/b"
    same "the plan's lines do what up does" "$TMP/a" "$TMP/b"
    says "what was pasted is not taken down" 0 "nothing to undo" "$NETSETUP" -o rules down
    for r in tun0 tun1; do
        iptables -w -t raw -D PREROUTING -i $r -m comment --comment twintun -j NOTRACK
        ip6tables -w -t raw -D PREROUTING -i $r -m comment --comment twintun -j NOTRACK
        ip link delete $r
    done
    have nft && nft delete table ip raw 2>/dev/null
    have nft && nft delete table ip6 raw 2>/dev/null
    forward 0
    forward6 0
}

# ---- down never touches what is someone else's ----

case_forwarding() {
    forward 1
    round_trip "ip_forward was on"
    check "it still is" grep -q 1 /proc/sys/net/ipv4/ip_forward
    forward 0
    echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects
    echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding
    round_trip "single switches were set otherwise"
    echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects
    echo 0 >/proc/sys/net/ipv4/conf/lo/forwarding
    "$NETSETUP" -q up
    forward 0
    check "status says that somebody has turned it off" \
        grep -q '^ip_forward  0, turned off since netsetup set it to 1$' <("$NETSETUP" status)
    exits "down with ip_forward turned off meanwhile" 0 eval '"$NETSETUP" down 2>"$TMP/err"'
    check "it does not count that as undone" \
        grep -q "down: $(($(wc -l <"$TMP/plan") - 1)) of $(wc -l <"$TMP/plan") changes" "$TMP/err"
    check "it stays off" grep -q 0 /proc/sys/net/ipv4/ip_forward
}

# family_of TOOL: as nft calls it
family_of() {
    case $1 in
    ip6*) echo ip6 ;;
    *) echo ip ;;
    esac
}

# usable TOOL: it is there, and so is what it is for
usable() {
    have "$1" && { [ "$(family_of "$1")" = ip ] || [ $ipv6 ]; }
}

# case_foreign_rules TOOL: foreign rules in the raw table, one of them ours but for the comment
case_foreign_rules() {
    local ipt=$1
    usable "$ipt" || return 0
    $ipt -w -t raw -A PREROUTING -i eth9 -j DROP
    $ipt -w -t raw -A PREROUTING -i tun0 -j NOTRACK
    $ipt -w -t raw -A PREROUTING -i tun0 -m comment --comment other -j NOTRACK
    $ipt -w -t raw -A PREROUTING -i tun0 -p udp --dport 9 -j ACCEPT
    $ipt -w -t raw -A OUTPUT -o tun1 -j ACCEPT
    $ipt -w -t filter -A FORWARD -i tun0 -j ACCEPT
    round_trip "$ipt: with foreign rules"
    $ipt -w -t raw -A PREROUTING -i tun1 -m comment --comment twintun -j NOTRACK
    round_trip "$ipt: with our tun1 rule there already"
    "$NETSETUP" -q up
    snapshot "$TMP/up"
    check "$ipt: both rules are there once" \
        test "$(grep -c -- '--comment twintun' <("$ipt-save" -t raw))" = 2
    # the one that we added goes, though others were added and removed around it
    $ipt -w -t raw -I PREROUTING 1 -i eth8 -j DROP
    $ipt -w -t raw -D PREROUTING -i eth9 -j DROP
    "$NETSETUP" -q down
    $ipt -w -t raw -S PREROUTING >"$TMP/rules"
    check "$ipt: down removes tun0's rule" test "$(grep -c 'tun0.*twintun' "$TMP/rules")" = 0
    check "$ipt: down leaves the tun1 rule" test "$(grep -c 'tun1.*twintun' "$TMP/rules")" = 1
    check "$ipt: down leaves the rest" test "$(grep -c '^-A' "$TMP/rules")" = 5
    $ipt -w -t raw -F
    $ipt -w -t filter -F
    case $ipt in
    *-nft)
        have nft && nft delete table "$(family_of "$ipt")" raw
        have nft && nft delete table "$(family_of "$ipt")" filter
        ;;
    esac
}

# whoever uses the raw table after us keeps it
case_raw_table() {
    local ipt=$1 fam
    fam=$(family_of "$ipt")
    usable "$ipt" && have nft && $ipt --version | grep -q nf_tables || return 0
    "$NETSETUP" -q up
    $ipt -w -t raw -A PREROUTING -i eth9 -j DROP
    "$NETSETUP" -q down
    check "$ipt: a rule that came later keeps the chain" grep -q eth9 <(nft list chain $fam raw PREROUTING)
    nft delete table $fam raw
    "$NETSETUP" -q up
    $ipt -w -t raw -A OUTPUT -o eth9 -j DROP
    "$NETSETUP" -q down
    check "$ipt: a chain that came later keeps the table" grep -q eth9 <(nft list table $fam raw)
    check "$ipt: our chain goes all the same" test -z "$(nft list chain $fam raw PREROUTING 2>/dev/null)"
    nft delete table $fam raw
    nft add table $fam raw
    round_trip "$ipt: an empty raw table was there"
    nft delete table $fam raw
    "$NETSETUP" -q up
    $ipt -w -t raw -P PREROUTING DROP
    "$NETSETUP" -q down
    check "$ipt: a policy that came later keeps the chain" \
        grep -q 'policy drop' <(nft list chain $fam raw PREROUTING)
    nft delete table $fam raw
}

# a FORWARD chain that drops by default, as Docker leaves it; tables of the other variant do not matter
case_forward_policy() {
    local ipt=$1 advice tool=iptables
    [ "$(family_of "$ipt")" = ip ] || tool=ip6tables
    usable "$ipt" && $ipt -w -S FORWARD >/dev/null 2>&1 || return 0
    check "$ipt: nothing to warn of" test -z "$("$NETSETUP" status | grep '^warning')"
    $ipt -w -P FORWARD DROP
    snapshot "$TMP/before"
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "$ipt: up says that FORWARD drops" grep -q "$tool FORWARD drops by default" "$TMP/out"
    check "$ipt: status, too" "$NETSETUP" status
    advice=$("$NETSETUP" status | sed -n 's/^warning .*both ways: //p')
    check "$ipt: with what to do about it" test -n "$advice"
    "$NETSETUP" down >/dev/null 2>&1
    snapshot "$TMP/after"
    same "$ipt: nothing was changed about it" "$TMP/before" "$TMP/after"
    eval "${advice//$tool/$ipt -w}"
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "$ipt: done as advised, there is no warning" \
        test -z "$({ cat "$TMP/out"; "$NETSETUP" status; } | grep FORWARD)"
    "$NETSETUP" -q down
    $ipt -w -F FORWARD
    $ipt -w -P FORWARD ACCEPT
}

case_foreign_device() {
    ip tuntap add dev tun0 mode tun
    ip addr add 192.168.77.1/24 dev tun0
    snapshot "$TMP/before"
    says "a tun0 with another address is refused" 5 "tun0 is someone else's" "$NETSETUP" up
    says "so is a rule for it" 5 "tun0 is someone else's" "$NETSETUP" up --only rules
    says "so is a plan" 5 "tun0 is someone else's" "$NETSETUP" plan
    snapshot "$TMP/after"
    same "nothing was changed" "$TMP/before" "$TMP/after"
    says "down leaves it" 0 "" "$NETSETUP" -q down && snapshot "$TMP/after"
    same "down changed nothing either" "$TMP/before" "$TMP/after"
    ip link delete tun0
    ip tuntap add dev tun1 mode tap
    snapshot "$TMP/before"
    says "a tun1 that is no TUN is refused" 5 "not a TUN" "$NETSETUP" up
    snapshot "$TMP/after"
    same "tun0 was not made before that" "$TMP/before" "$TMP/after"
    ip link delete tun1
    ip tuntap add dev eth7 mode tap
    ip addr add 10.0.1.77/16 dev eth7
    says "a subnet in use elsewhere is refused" 5 "eth7 has an address" "$NETSETUP" up
    ip link delete eth7
    if [ $ipv6 ]; then
        ip tuntap add dev eth7 mode tap
        ip addr add fd00:1::77/48 dev eth7
        says "so is an IPv6 subnet" 5 "eth7 has an address in tun1's subnet, fd00:1::1/64" "$NETSETUP" up
        ip link delete eth7
        ip tuntap add dev tun0 mode tun
        ip addr add fd77::1/64 dev tun0
        says "and a tun0 with another IPv6 address" 5 "someone else's, with the address fd77::1/64" \
            "$NETSETUP" up
        ip link delete tun0
    fi
    ip tuntap add dev tun0 mode tun user 4321 2>/dev/null || return 0 # no such user in here
    says "another user's TUN is refused" 5 "tun0 belongs to user id 4321" "$NETSETUP" up
    ip link delete tun0
}

# a TUN that is there, with our address or without any, is used and stays
case_adopted_device() {
    ip tuntap add dev tun0 mode tun
    round_trip "a bare tun0 was there"
    ip addr add 10.0.0.1/24 dev tun0
    ip link set tun0 up
    round_trip "tun0 was there, with IPv4"
    if [ $ipv6 ]; then
        ip addr add fd00::1/64 dev tun0
        round_trip "tun0 was there, complete"
        ip link set tun0 down # which takes its IPv6 address
        ip addr add fd00::1/64 dev tun0
        round_trip "tun0 was there, with addresses, but down"
    fi
    ip link delete tun0
}

case_busy_device() {
    snapshot "$TMP/before"
    "$NETSETUP" -q up
    ip link set tun0 mtu 1400
    ip addr add 10.0.0.99/24 dev tun0
    check "our tun0 with a further address is still ours" "$NETSETUP" up
    "$NETSETUP" -q down
    snapshot "$TMP/after"
    same "down takes our device with what was added to it" "$TMP/before" "$TMP/after"
    "$NETSETUP" -q up
    ip link delete tun0
    ip tuntap add dev tun0 mode tun
    "$NETSETUP" -q down
    check "a tun0 made anew by someone else stays" ip link show tun0
    ip link delete tun0
}

# attach USER: a program run as USER takes tun0 and holds it until its standard input ends
attach() {
    cat >"$TMP/attach.py" <<'PYTHON'
import fcntl, struct, sys
tun = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
print("attached", flush=True)
sys.stdin.read()
PYTHON
    chmod 755 "$TMP/attach.py"
    [ "$1" = "$(id -u)" ] && exec python3 "$TMP/attach.py"
    exec setpriv --reuid "$1" --clear-groups python3 "$TMP/attach.py"
}

# attached_as USER: up for that user, who can attach then; and down under the program
attached_as() {
    local line=""
    "$NETSETUP" -q up --user "$1"
    rm -f "$TMP/hold" "$TMP/line"
    mkfifo "$TMP/hold"
    attach "$1" <"$TMP/hold" >"$TMP/line" 2>&1 &
    local node=$!
    exec 9>"$TMP/hold"
    for _ in $(seq 50); do
        [ -s "$TMP/line" ] && break
        sleep 0.1
    done
    line=$(cat "$TMP/line")
    check "user $1 can attach to tun0 without privilege" test "$line" = attached
    check "status says that a node is attached" grep -q '^tun0 .*, node attached' <("$NETSETUP" status)
    says "down under it says so" 0 "still attached" eval \
        '"$NETSETUP" down 2> >(grep -v "changes undone" >&2)'
    check "and removes the device" test ! -e /proc/sys/net/ipv4/conf/tun0
    exec 9>&-
    wait $node
}

case_attached() {
    local PATH=/usr/bin:$PATH # a python3 that every user may run
    have python3 || { echo "# no python3 to attach with"; return 0; }
    attached_as "$(id -u)"
    if setpriv --reuid 65534 --clear-groups sh -c 'python3 -V && : <>/dev/net/tun' >/dev/null 2>&1
    then
        attached_as 65534
    else
        echo "# only one user in this namespace"
    fi
}

# ---- in parts ----

case_parts() {
    snapshot "$TMP/before"
    exits "up --only rules" 0 "$NETSETUP" up --only rules
    check "makes no device" test ! -e /proc/sys/net/ipv4/conf/tun0
    exits "up --only forwarding" 0 "$NETSETUP" up --only forwarding
    check "turns forwarding on" grep -q 1 /proc/sys/net/ipv4/ip_forward
    exits "status is not up without devices" 3 "$NETSETUP" status
    exits "up --only devices,rules" 0 "$NETSETUP" up --only devices,rules
    exits "status is up with all parts" 0 "$NETSETUP" status
    exits "down --only forwarding" 0 "$NETSETUP" down --only forwarding
    check "turns it off" grep -q 0 /proc/sys/net/ipv4/ip_forward
    check "and leaves the devices" ip link show tun0
    exits "down --only devices" 0 "$NETSETUP" down --only devices
    exits "down for the rest" 0 "$NETSETUP" down
    snapshot "$TMP/after"
    same "the parts together restore everything" "$TMP/before" "$TMP/after"
}

# ---- other tools, or none ----

# shim NAME=TARGET...: a folder that hides the system's tools but for these
shim() {
    rm -rf "$TMP/shim"
    mkdir "$TMP/shim"
    for pair; do
        # no link: what is written to it later must not be written to the machine's program
        printf '#!/bin/sh\nexec %s "$@"\n' "$(type -P "${pair#*=}")" >"$TMP/shim/${pair%%=*}"
        chmod +x "$TMP/shim/${pair%%=*}"
    done
}

case_legacy() {
    have iptables-legacy || { echo "# no iptables-legacy here"; return 0; }
    shim iptables=iptables-legacy ip6tables=ip6tables-legacy
    local PATH=$TMP/shim:$PATH
    # root of a namespace only cannot open the machine's lock; netsetup must see that by itself
    [ -w /run/xtables.lock ] || [ -w /run ] || export XTABLES_LOCKFILE=/dev/null
    # the kernel keeps its legacy table, once there, until the namespace ends
    iptables -w -t raw -S >/dev/null 2>&1 || { echo "# this kernel has no legacy tables"; return 0; }
    [ ! $ipv6 ] || ip6tables -w -t raw -S >/dev/null 2>&1 ||
        { echo "# this kernel has no legacy tables of IPv6"; return 0; }
    round_trip "legacy variant"
    env -u XTABLES_LOCKFILE "$NETSETUP" -q up
    check "legacy variant: the rules are in the legacy table" \
        test "$(grep -c twintun <(iptables-legacy -t raw -S; ip6tables-legacy -t raw -S))" = \
        $((2 + ${ipv6:+2}))
    rm "$TMP/shim/"*
    "$NETSETUP" -q down
    check "the variant that added a rule removes it" \
        test "$(grep -c twintun <(iptables-legacy -t raw -S; ip6tables-legacy -t raw -S))" = 0
    shim iptables=iptables-legacy ip6tables=ip6tables-legacy
    case_foreign_rules iptables-legacy
    case_foreign_rules ip6tables-legacy
    case_forward_policy iptables-legacy
    case_forward_policy ip6tables-legacy
    shim iptables=iptables-legacy
    round_trip "each family its own variant"
}

case_failing_iptables() {
    shim
    printf '#!/bin/sh\n[ "$1" = --version ] && echo "iptables v1.8.9 (nf_tables)" && exit 0\n%s\n' \
        'for a; do [ "$a" = -C ] && exit 1; done; echo "no raw table in this kernel" >&2; exit 3' \
        >"$TMP/shim/iptables"
    chmod +x "$TMP/shim/iptables"
    cp "$TMP/shim/iptables" "$TMP/shim/ip6tables"
    local PATH=$TMP/shim:$PATH
    snapshot "$TMP/before"
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "without usable rules the lab comes up" ip link show tun1
    check "and says what that means" grep -q 'no raw table.*connection tracking' "$TMP/out"
    exits "down after that" 0 "$NETSETUP" down
    says "but rules alone fail" 1 "no raw table in this kernel" "$NETSETUP" up --only rules
    snapshot "$TMP/after"
    same "nothing is left of the failed rules" "$TMP/before" "$TMP/after"
    shim iptables=false ip6tables=false nft=false
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "without iptables the lab comes up" "$NETSETUP" status
    check "and says what that means" grep -q 'not installed.*connection tracking' "$TMP/out"
    exits "down after that" 0 "$NETSETUP" down
    says "but rules alone fail without it" 1 "make deps" "$NETSETUP" up --only rules
    snapshot "$TMP/after"
    same "nothing is left" "$TMP/before" "$TMP/after"
    [ $ipv6 ] && have iptables || return 0
    shim ip6tables=false nft=false
    round_trip "without ip6tables"
    says "up says what that means" 0 "no IPv6 NOTRACK rules: ip6tables is not installed" eval \
        '"$NETSETUP" up --only rules 2> >(grep -v "2 changes" >&2)'
    check "IPv4 has its rules" test "$(iptables -w -t raw -S | grep -c twintun)" = 2
    "$NETSETUP" -q down
}

# nft itself: because it is asked for, and because there is nothing else
case_nft() {
    have nft && nft list tables >/dev/null 2>&1 || { echo "# no nft here"; return 0; }
    snapshot "$TMP/before"
    says "up --backend nft" 0 "changes" "$NETSETUP" up --backend nft
    check "the rules are in a table of our own" test "$(nft list table ip twintun |
        grep -cE 'iifname "tun[01]" counter packets .* notrack comment "twintun"')" = 2
    check "and not in iptables'" test "$(grep -c NOTRACK <(iptables-save 2>/dev/null))" = 0
    check "status finds them there" grep -q '^rules *nftables' <("$NETSETUP" status)
    says "up again leaves it so" 0 "nothing to do" "$NETSETUP" up
    nft 'add rule ip twintun prerouting iifname "eth9" drop; add table ip6 mine'
    "$NETSETUP" -q down
    check "a rule that came later keeps the table" grep -q eth9 <(nft list table ip twintun)
    check "ours are gone" test "$(nft list ruleset | grep -c notrack)" = 0
    nft 'delete table ip twintun; delete table ip6 mine'
    snapshot "$TMP/after"
    same "nothing else is left" "$TMP/before" "$TMP/after"
    "$NETSETUP" plan --backend nft >"$TMP/nft.plan"
    bash -e "$TMP/nft.plan" >"$TMP/out" 2>&1 || not_ok "the plan's lines run" "$(cat "$TMP/out")"
    says "what the plan says is what up does" 0 "nothing to do" "$NETSETUP" up --backend nft
    nft 'delete table ip twintun'
    [ ! $ipv6 ] || nft 'delete table ip6 twintun'
    ip link delete tun0
    ip link delete tun1
    forward 0
    forward6 0
    "$NETSETUP" up --backend none >"$TMP/out" 2>&1
    check "without a backend there are no rules" test "$(nft list ruleset | grep -c notrack)" = 0
    check "which is said" grep -q "connection tracking will see" "$TMP/out"
    "$NETSETUP" -q down
    says "an unknown backend" 2 "is none of iptables" "$NETSETUP" up --backend ipfw
    shim iptables=false ip6tables=false
    local PATH=$TMP/shim:$PATH
    round_trip "nft, where there is no iptables"
    "$NETSETUP" -q up
    check "the rules are nft's" grep -q 'notrack' <(nft list table ip twintun)
    "$NETSETUP" -q down
}

# ---- IPv6 ----

case_ipv6_forwarding() {
    [ $ipv6 ] || return 0
    forward6 1
    round_trip "IPv6 forwarding was on"
    check "IPv6 forwarding still is" grep -q 1 $CONF6/all/forwarding
    forward6 0
    ip tuntap add dev eth7 mode tap
    echo 1 >$CONF6/lo/forwarding
    echo 1 >$CONF6/default/forwarding
    [ ! -e $CONF6/eth7/force_forwarding ] || echo 1 >$CONF6/eth7/force_forwarding
    round_trip "single switches of IPv6 were set otherwise"
    check "one is on, as before" grep -q 1 $CONF6/lo/forwarding
    "$NETSETUP" -q up
    ip link delete eth7
    "$NETSETUP" -q down
    check "also if one is gone by then" test "$(cat $CONF6/{all,lo,default}/forwarding | tr -d '\n')" = 011
    echo 0 >$CONF6/lo/forwarding
    echo 0 >$CONF6/default/forwarding
    "$NETSETUP" -q up
    forward6 0
    check "status says that somebody has turned IPv6's off" \
        grep -q '^forwarding6 0, turned off since netsetup set it to 1$' <("$NETSETUP" status)
    exits "down with it turned off meanwhile" 0 eval '"$NETSETUP" down 2>"$TMP/err"'
    check "that does not count as undone" grep -q "down: 13 of 14 changes" "$TMP/err"
}

# ipv4_only NAME TEXT: the lab comes up with IPv4 alone, and says why
ipv4_only() {
    round_trip "$1"
    check "$1: up says so" grep -q "IPv6 is off here, .*$2" <("$NETSETUP" up 2>&1)
    check "$1: status, too" grep -q "^IPv6  *off: .*${2/default/tun0}" <("$NETSETUP" status)
    check "$1: nothing of it is made" test -z "$(ip -6 addr show to fd00::/16; ip6tables -t raw -S 2>&1 |
        grep twintun)$(grep -s 1 $CONF6/all/forwarding)"
    "$NETSETUP" -q down
}

case_ipv6_off() {
    [ $ipv6 ] || return 0
    echo 1 >$CONF6/default/disable_ipv6
    ipv4_only "IPv6 off by default" "net.ipv6.conf.default.disable_ipv6 is 1"
    echo 0 >$CONF6/default/disable_ipv6
    ip tuntap add dev tun1 mode tun
    echo 1 >$CONF6/tun1/disable_ipv6
    ipv4_only "IPv6 off on tun1" "net.ipv6.conf.tun1.disable_ipv6 is 1"
    echo 0 >$CONF6/tun1/disable_ipv6
    ip link set tun1 mtu 1279
    ipv4_only "an MTU too small for IPv6" "the MTU of tun1 is 1279"
    ip link set tun1 mtu 1280
    ip link set tun1 up
    round_trip "tun1 was there, up, with an MTU of 1280"
    # IPv6 goes from a TUN that stays, while the lab is up
    snapshot "$TMP/before"
    "$NETSETUP" -q up
    echo 1 >$CONF6/tun1/disable_ipv6
    check "status tells of IPv6 turned off since" grep -q "tun1.disable_ipv6 is 1" <("$NETSETUP" status)
    exits "down without IPv6" 0 "$NETSETUP" down
    echo 0 >$CONF6/tun1/disable_ipv6
    snapshot "$TMP/after"
    same "down with IPv6 turned off since" "$TMP/before" "$TMP/after"
    "$NETSETUP" -q up
    ip link set tun1 mtu 1000
    exits "down with the MTU lowered since" 0 "$NETSETUP" down
    ip link set tun1 mtu 1280
    snapshot "$TMP/after"
    same "nothing is left of that either" "$TMP/before" "$TMP/after"
    ip link delete tun1
    if mount --bind $CONF6/all/forwarding $CONF6/all/forwarding 2>/dev/null &&
        mount -o remount,ro,bind $CONF6/all/forwarding; then
        ipv4_only "IPv6 forwarding that nobody may write" "/proc/sys is read-only"
        umount $CONF6/all/forwarding
    fi
    if mount -t tmpfs tmpfs ${CONF6%/conf} 2>/dev/null; then
        ipv4_only "a kernel without IPv6" "this kernel has none"
        umount ${CONF6%/conf}
    fi
}

# advertise DEVICE: a router's advertisement leaves it: a default route, and a prefix for addresses
advertise() {
    python3 - "$1" <<'PYTHON'
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 14400, 0,
                     socket.inet_pton(socket.AF_INET6, "2001:db8:5::"))
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix,
         ("ff02::1", 0, 0, socket.if_nametoindex(sys.argv[1])))
PYTHON
}

# routed: within a moment there is a default route from the router
routed() {
    for _ in $(seq 50); do
        ip -6 route show default | grep -q 'dev eth7 proto ra' &&
            [ -z "$(ip -6 addr show dev eth7 tentative)" ] && return
        sleep 0.1
    done
    return 1
}

# The machine has its IPv6 from a router; forwarding would make it deaf, and lose the default route.
case_ipv6_router() {
    [ $ipv6 ] && have python3 || { echo "# no python3 to advertise with"; return 0; }
    ip link add eth7 type veth peer name router7 2>/dev/null || { echo "# no veth here"; return 0; }
    for d in eth7 router7; do
        echo 0 >$CONF6/$d/dad_transmits
        echo 0 >$CONF6/$d/router_solicitations
    done
    echo 0 >$CONF6/router7/accept_ra
    echo 1 >$CONF6/eth7/accept_ra_from_local
    ip link set eth7 up
    ip link set router7 up
    for _ in $(seq 50); do
        [ -n "$(ip -6 addr show router7 -tentative)" ] && [ -n "$(ip -6 addr show eth7 -tentative)" ] && break
        sleep 0.1
    done
    advertise router7
    check "a router's default route is there" routed
    round_trip "with a router"
    "$NETSETUP" -q up
    check "its route stays while we forward" routed
    check "accept_ra is 2 meanwhile" grep -q 2 $CONF6/eth7/accept_ra
    ip -6 route delete default dev eth7
    advertise router7
    check "and the router is still heard" routed
    "$NETSETUP" -q down
    check "accept_ra is 1 afterwards" grep -q 1 $CONF6/eth7/accept_ra
    check "and the route still there" routed
    "$NETSETUP" -q up
    echo 0 >$CONF6/eth7/accept_ra
    "$NETSETUP" -q down
    check "an accept_ra that somebody has changed since stays" grep -q 0 $CONF6/eth7/accept_ra
    echo 1 >$CONF6/eth7/accept_ra
    "$NETSETUP" -q up
    ip link delete eth7
    ip tuntap add dev eth7 mode tap
    echo 2 >$CONF6/eth7/accept_ra
    exits "down when the interface is another" 0 "$NETSETUP" down
    check "whose accept_ra is not ours" grep -q 2 $CONF6/eth7/accept_ra
    ip link delete eth7
    says "nothing is left to undo then" 0 "nothing to undo" "$NETSETUP" down
}

# ---- words and codes ----

case_usage() {
    says "no command" 2 "a command is missing" "$NETSETUP"
    says "an unknown command" 2 "no command 'doctr'" "$NETSETUP" doctr
    says "two commands" 2 "one command at a time" "$NETSETUP" up down
    says "an unknown option" 2 "did you mean '--json'" "$NETSETUP" status --jsn
    says "an unknown part" 2 "none of devices, rules, forwarding" "$NETSETUP" up --only firewall
    says "an unknown user" 2 "no user" "$NETSETUP" up --user no-such-user-here
    exits "help" 0 "$NETSETUP" --help
    check "no line of it is longer than a terminal" \
        test -z "$(cd "$BIN" && ./netsetup --help | awk 'length > 79')"
    ln -s "$NETSETUP" "$TMP/twintun-netsetup"
    says "a hint names the program as it was typed" 0 "'$TMP/twintun-netsetup down' undoes" \
        "$TMP/twintun-netsetup" up
    says "so does a usage error" 2 "'$TMP/twintun-netsetup --help'" "$TMP/twintun-netsetup" sideways
    "$TMP/twintun-netsetup" -q down
    if have capsh; then
        says "up without privilege" 4 "unshare -Urn" \
            capsh --drop=cap_net_admin -- -c "exec '$NETSETUP' up"
        "$NETSETUP" -q up
        says "down without privilege" 4 "unshare -Urn" \
            capsh --drop=cap_net_admin -- -c "exec '$NETSETUP' down"
        exits "status needs none" 0 \
            capsh --drop=cap_net_admin -- -c "exec '$NETSETUP' status"
        "$NETSETUP" -q down
    fi
    shim
    printf '#!/bin/sh\nsed -n "s/^Cap[EB][fn][fd]:.//p" /proc/self/status >>"%s"\nexec %s "$@"\n' \
        "$TMP/caps" "$(type -P iptables)" >"$TMP/shim/iptables"
    chmod +x "$TMP/shim/iptables"
    PATH=$TMP/shim:$PATH "$NETSETUP" -q up
    PATH=$TMP/shim:$PATH "$NETSETUP" -q down
    # CAP_NET_ADMIN is bit 12, CAP_NET_RAW 13, CAP_SYS_MODULE 16
    check "the tools that it starts have no more power than they need" test "$(sort -u "$TMP/caps")" = \
        "$(printf %016x $((0x13000 & 0x$(sed -n 's/^CapEff:.//p' /proc/self/status))))"
    exits "up --quiet" 0 "$NETSETUP" -q up
    check "quiet says nothing" test -z "$("$NETSETUP" -q up 2>&1)"
    "$NETSETUP" -q down
}

case_json() {
    have python3 || { echo "# no python3 to read JSON with"; return 0; }
    "$NETSETUP" up --json >"$TMP/json" 2>/dev/null
    check "up --json is the status" python3 - "$TMP/json" <<'PYTHON'
import json, sys
s = json.load(open(sys.argv[1]))
assert s["up"] is True
assert [d["name"] for d in s["devices"]] == ["tun0", "tun1"]
assert all(d["ours"] and d["up"] and not d["attached"] for d in s["devices"])
assert s["devices"][0]["addresses"][0] == "10.0.0.1/24"
assert {"to": "10.0.1.0/24"} in s["devices"][1]["routes"]
assert s["ip_forward"] == {"value": 1, "ours": True, "before": 0}
assert s["warnings"] == []
tools = {f["family"]: f["tool"] for f in s["firewalls"]}
for r in s["rules"]:
    if tools[r["family"]] != "none":
        assert r["present"] and r["ours"] and r["packets"] == 0
if s["ipv6"]:
    assert set(tools) == {"ipv4", "ipv6"} and len(s["rules"]) == 4
    assert "fd00:1::1/64" in s["devices"][1]["addresses"]
    assert {"to": "fd00::/64"} in s["devices"][0]["routes"]
    assert s["ipv6_forwarding"] == {"value": 1, "ours": True, "before": 0}
else:
    assert s["ipv6_off"] and set(tools) == {"ipv4"}
PYTHON
    "$NETSETUP" down --json >"$TMP/json" 2>/dev/null
    check "down --json too" python3 -c \
        'import json,sys; s=json.load(open(sys.argv[1])); assert not s["up"]' "$TMP/json"
    "$NETSETUP" plan --json >"$TMP/json"
    check "plan --json has each undo" python3 -c \
        'import json,sys; assert all(o["undo"] for o in json.load(open(sys.argv[1])))' "$TMP/json"
}

# killed NAME COMMAND...: run it until it is killed, then take down and compare with $TMP/before
killed() {
    local name=$1
    shift
    { "$@" >/dev/null 2>&1; } 2>/dev/null # where the shell would report the death
    "$NETSETUP" -q down >"$TMP/out" 2>&1
    snapshot "$TMP/after"
    if ! cmp -s "$TMP/before" "$TMP/after"; then
        not_ok "$name" "$(cat "$TMP/out")" "$(diff "$TMP/before" "$TMP/after")"
        return 1
    fi
}

# netsetup dies by SIGKILL at each call of iptables, before and after it took effect; killed.sh has
# every other operation
case_killed() {
    local tool
    snapshot "$TMP/before"
    for tool in iptables ${ipv6:+ip6tables}; do
        killed_around "$tool"
    done
}

# netsetup dies while TOOL runs: before and after the rule is added, and removed
killed_around() {
    local real bad=0
    real=$(type -P "$1") || return 0
    shim
    cat >"$TMP/shim/$1" <<SHIM
#!/bin/sh
verb=none
for a; do case \$a in -A|-D) verb=\$a; esac; done
[ "\$KILL" = before\$verb ] && kill -9 \$PPID && exit 9
$real "\$@"; code=\$?
[ "\$KILL" = after\$verb ] && kill -9 \$PPID
exit \$code
SHIM
    chmod +x "$TMP/shim/$1"
    for when in before after; do
        killed "up killed $when $1 -A" \
            env KILL=$when-A PATH="$TMP/shim:$PATH" "$NETSETUP" -q up || bad=1
        "$NETSETUP" -q up
        killed "down killed $when $1 -D" \
            env KILL=$when-D PATH="$TMP/shim:$PATH" "$NETSETUP" -q down || bad=1
    done
    [ $bad = 0 ] && ok "killed while $1 runs, the next down restores everything"
}

# a journal about a namespace that is gone, with our inode, must not be believed
case_stale_journal() {
    local file
    "$NETSETUP" -q up
    file=$(python3 -c 'import json,sys; print(json.load(sys.stdin)["journal"])' \
        <<<"$("$NETSETUP" status --json)" 2>/dev/null) || { "$NETSETUP" -q down; return 0; }
    cp "$file" "$TMP/journal"
    sed -E 's/"cookie": "[^"]*"/"cookie": "0123"/' "$TMP/journal" >"$file"
    says "a journal of another namespace is not believed" 0 "" "$NETSETUP" -q down -o rules
    check "and nothing of it is undone" ip link show tun0
    echo '{"version": 4}' >"$file"
    says "a journal that is not understood stops down" 1 "cannot be understood" "$NETSETUP" down
    cp "$TMP/journal" "$file"
    exits "with the right one, down works" 0 "$NETSETUP" down
    check "and takes the devices" test ! -e /proc/sys/net/ipv4/conf/tun0
}

case_up
case_plan
case_forwarding
case_foreign_rules iptables-nft
case_foreign_rules ip6tables-nft
case_raw_table iptables
case_raw_table ip6tables
case_forward_policy iptables
case_forward_policy ip6tables
have nft && nft delete table ip filter 2>/dev/null
have nft && nft delete table ip6 filter 2>/dev/null
case_foreign_device
case_adopted_device
case_busy_device
case_attached
case_parts
case_failing_iptables
case_nft
case_ipv6_forwarding
case_ipv6_off
case_ipv6_router
case_usage
case_json
case_stale_journal
case_killed
case_legacy

echo "netsetup: $passed passed, $failed failed"
[ $failed = 0 ]
