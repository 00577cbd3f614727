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
        ip -o addr
        echo "== routes"
        ip route show table all
        ip -6 route show table all
        echo "== sysctls"
        grep -r . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
            /proc/sys/net/ipv4/conf/*/accept_redirects
        for save in iptables-nft-save iptables-legacy-save; do
            # asking the legacy variant for a table would create it
            have $save && { [ $save = iptables-nft-save ] || [ -s /proc/net/ip_tables_names ]; } &&
                echo "== $save" && $save 2>/dev/null | strip
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

# ---- what up makes ----

ip link set lo up
forward 0

case_up() {
    exits "status before up is 3" 3 "$NETSETUP" status
    snapshot "$TMP/clean"
    "$NETSETUP" plan >"$TMP/plan"
    check "plan is made of nine lines" test "$(wc -l <"$TMP/plan")" = 9
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
    sed -E -e 's/^[0-9]+: //' -e 's/\\.*//' "$TMP/pasted" | sort >"$TMP/a"
    sed -E -e 's/^[0-9]+: //' -e 's/\\.*//' "$TMP/up" | sort >"$TMP/b"
    same "the plan's lines do what up does" "$TMP/a" "$TMP/b"
    says "what was pasted is not taken down" 0 "nothing to undo" "$NETSETUP" -o rules down
    for r in tun0 tun1; do
        iptables -w -t raw -D PREROUTING -i $r -m comment --comment twintun -j NOTRACK
        ip link delete $r
    done
    have nft && nft delete table ip raw 2>/dev/null
    forward 0
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

# rules_with IPTABLES: foreign rules in the raw table, one of them ours but for the comment
case_foreign_rules() {
    local ipt=$1
    have "$ipt" || return 0
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
    if [ "$ipt" = iptables-nft ] && have nft; then
        nft delete table ip raw
        nft delete table ip filter
    fi
}

# whoever uses the raw table after us keeps it
case_raw_table() {
    have nft && iptables --version | grep -q nf_tables || return 0
    "$NETSETUP" -q up
    iptables -w -t raw -A PREROUTING -i eth9 -j DROP
    "$NETSETUP" -q down
    check "a rule that came later keeps the chain" grep -q eth9 <(nft list chain ip raw PREROUTING)
    nft delete table ip raw
    "$NETSETUP" -q up
    iptables -w -t raw -A OUTPUT -o eth9 -j DROP
    "$NETSETUP" -q down
    check "a chain that came later keeps the table" grep -q eth9 <(nft list table ip raw)
    check "our chain goes all the same" test -z "$(nft list chain ip raw PREROUTING 2>/dev/null)"
    nft delete table ip raw
    nft add table ip raw
    round_trip "an empty raw table was there"
    nft delete table ip raw
    "$NETSETUP" -q up
    iptables -w -t raw -P PREROUTING DROP
    "$NETSETUP" -q down
    check "a policy that came later keeps the chain" \
        grep -q 'policy drop' <(nft list chain ip raw PREROUTING)
    nft delete table ip raw
}

# a FORWARD chain that drops by default, as Docker leaves it; tables of the other variant do not matter
case_forward_policy() {
    local ipt=$1 advice
    have "$ipt" && $ipt -w -S FORWARD >/dev/null 2>&1 || return 0
    check "$ipt: nothing to warn of" test -z "$("$NETSETUP" status | grep '^warning')"
    $ipt -w -P FORWARD DROP
    snapshot "$TMP/before"
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "$ipt: up says that FORWARD drops" grep -q 'FORWARD drops by default' "$TMP/out"
    check "$ipt: status, too" "$NETSETUP" status
    advice=$("$NETSETUP" status | sed -n 's/^warning .*both ways: //p')
    check "$ipt: with what to do about it" test -n "$advice"
    "$NETSETUP" down >/dev/null 2>&1
    snapshot "$TMP/after"
    same "$ipt: nothing was changed about it" "$TMP/before" "$TMP/after"
    eval "${advice//iptables/$ipt -w}"
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
    round_trip "tun0 was there, complete"
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
        ln -s "$(type -P "${pair#*=}")" "$TMP/shim/${pair%%=*}"
    done
}

case_legacy() {
    have iptables-legacy || { echo "# no iptables-legacy here"; return 0; }
    shim iptables=iptables-legacy
    local PATH=$TMP/shim:$PATH
    # root of a namespace only cannot open the machine's lock; netsetup must see that by itself
    [ -w /run/xtables.lock ] || [ -w /run ] || export XTABLES_LOCKFILE=/dev/null
    # the kernel keeps its legacy table, once there, until the namespace ends
    iptables -w -t raw -S >/dev/null 2>&1 || { echo "# this kernel has no legacy tables"; return 0; }
    round_trip "legacy variant"
    env -u XTABLES_LOCKFILE "$NETSETUP" -q up
    check "legacy variant: the rules are in the legacy table" \
        test "$(grep -c twintun <(iptables-legacy -t raw -S))" = 2
    rm "$TMP/shim/iptables"
    "$NETSETUP" -q down
    check "the variant that added a rule removes it" \
        test "$(grep -c twintun <(iptables-legacy -t raw -S))" = 0
    case_foreign_rules_legacy
    case_forward_policy iptables-legacy
}

case_foreign_rules_legacy() {
    shim iptables=iptables-legacy
    case_foreign_rules iptables-legacy
}

case_failing_iptables() {
    shim
    printf '#!/bin/sh\n[ "$1" = --version ] && echo "iptables v1.8.9 (nf_tables)" && exit 0\n%s\n' \
        'for a; do [ "$a" = -C ] && exit 1; done; echo "no raw table in this kernel" >&2; exit 3' \
        >"$TMP/shim/iptables"
    chmod +x "$TMP/shim/iptables"
    local PATH=$TMP/shim:$PATH
    snapshot "$TMP/before"
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "without usable rules the lab comes up" ip link show tun1
    check "and says what that means" grep -q 'no raw table.*connection tracking' "$TMP/out"
    exits "down after that" 0 "$NETSETUP" down
    says "but rules alone fail" 1 "no raw table in this kernel" "$NETSETUP" up --only rules
    snapshot "$TMP/after"
    same "nothing is left of the failed rules" "$TMP/before" "$TMP/after"
    shim iptables=false
    "$NETSETUP" up >"$TMP/out" 2>&1
    check "without iptables the lab comes up" "$NETSETUP" status
    check "and says what that means" grep -q 'not installed.*connection tracking' "$TMP/out"
    exits "down after that" 0 "$NETSETUP" down
    says "but rules alone fail without it" 1 "make deps" "$NETSETUP" up --only rules
    snapshot "$TMP/after"
    same "nothing is left" "$TMP/before" "$TMP/after"
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
if s["firewall"] != "none":
    assert all(r["present"] and r["ours"] and r["packets"] == 0 for r in s["rules"])
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

# netsetup dies by SIGKILL: at each call of iptables, before and after it took effect, and at
# moments spread over its whole run
case_killed() {
    local real n when bad=0
    real=$(type -P iptables) || return 0
    snapshot "$TMP/before"
    for n in 3 6 9 13 17 22 28 35 45; do
        n=$(printf '0.%03d' "$n")
        killed "up killed after $n s" timeout -s KILL "$n" "$NETSETUP" -q up || bad=1
        "$NETSETUP" -q up
        killed "down killed after $n s" timeout -s KILL "$n" "$NETSETUP" -q down || bad=1
    done
    [ $bad = 0 ] && ok "killed at any moment, the next down restores everything"
    bad=0
    shim
    cat >"$TMP/shim/iptables" <<SHIM
#!/bin/sh
verb=none
for a; do case \$a in -A|-D) verb=\$a; esac; done
[ "\$KILL" = before\$verb ] && kill -9 \$PPID && exit 9
$real "\$@"; code=\$?
[ "\$KILL" = after\$verb ] && kill -9 \$PPID
exit \$code
SHIM
    chmod +x "$TMP/shim/iptables"
    for when in before after; do
        killed "up killed $when iptables -A" \
            env KILL=$when-A PATH="$TMP/shim:$PATH" "$NETSETUP" -q up || bad=1
        "$NETSETUP" -q up
        killed "down killed $when iptables -D" \
            env KILL=$when-D PATH="$TMP/shim:$PATH" "$NETSETUP" -q down || bad=1
    done
    [ $bad = 0 ] && ok "killed while iptables runs, the next down restores everything"
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
    echo '{"version": 2}' >"$file"
    says "a journal that is not understood stops down" 1 "cannot be understood" "$NETSETUP" down
    cp "$TMP/journal" "$file"
    exits "with the right one, down works" 0 "$NETSETUP" down
    check "and takes the devices" test ! -e /proc/sys/net/ipv4/conf/tun0
}

case_up
case_plan
case_forwarding
case_foreign_rules iptables-nft
case_raw_table
case_forward_policy iptables
have nft && nft delete table ip filter 2>/dev/null
case_foreign_device
case_adopted_device
case_busy_device
case_attached
case_parts
case_failing_iptables
case_usage
case_json
case_stale_journal
case_killed
case_legacy

echo "netsetup: $passed passed, $failed failed"
[ $failed = 0 ]
