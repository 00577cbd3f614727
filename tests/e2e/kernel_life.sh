#!/usr/bin/env bash
#
# What may happen in the life of a connection with the kernel's TCP: urgent data, long silence, and a
# kernel that dies. Roles and tool as in kernel_tcp.sh.

. "$(dirname "$0")/lib.sh"
need_tun
TOOLS=${TOOLS:-build/release/tools}

net_up

# Standard input of the next end: nothing, unless a test says otherwise.
input=/dev/null

# kernel_end listen|connect [WORD...]: ksock in the background; its pid is $kernel.
kernel_end()
{
    local how=$1 address=10.0.1.5 port=8000
    shift
    [ "$how" = listen ] && address=10.0.0.1 && port=9000

    rm -f "$WORK/kernel.err"
    "$TOOLS/ksock" "$how" $address $port "$@" <"$input" >"$WORK/kernel.out" 2>"$WORK/kernel.err" &
    kernel=$!
    input=/dev/null
    wait_for 5 grep -qE "listening|connected" "$WORK/kernel.err"
}

# node_end connect|listen [OPTION...]: host that connects or peer that serves; its pid is $node.
node_end()
{
    local how=$1
    shift

    rm -f "$WORK/node.err"
    if [ "$how" = connect ]; then
        "$BIN/host" "$@" --port 9000 tun0 10.0.0.1/24 10.0.0.1 \
            <"$input" >"$WORK/node.out" 2>"$WORK/node.err" &
    else
        "$BIN/peer" --once --session cat "$@" tun1 10.0.1.1/24 10.0.0.7 \
            <"$input" >"$WORK/node.out" 2>"$WORK/node.err" &
    fi
    node=$!
    input=/dev/null
    wait_for 5 grep -qE " ready on |connected to " "$WORK/node.err"
}

# both ROLE INPUT OPTIONS WORDS: a connection in which we are active or passive; OPTIONS and INPUT are
# ours, WORDS and $kernel_input the kernel's.
both()
{
    # shellcheck disable=SC2086
    if [ "$1" = active ]; then
        input=$kernel_input
        kernel_end listen $4
        input=$2
        node_end connect $3
    else
        input=$2
        node_end listen $3
        input=$kernel_input
        kernel_end connect $4
    fi
    kernel_input=/dev/null
}
kernel_input=/dev/null

ended()
{
    wait "$1"
    is "$2" $? "$3"
}

# ---- urgent data ----

printf 'hello' >"$WORK/hello"
printf 'abcdefgh' >"$WORK/abcdefgh"
for role in active passive; do
    # The kernel knows one urgent byte, the last one; its mark stands before it.
    both $role "$WORK/hello" --urgent inline
    ended $kernel "urgent data from us, $role: the kernel's end closes in order" 0
    ended $node "and ours" 0
    is "the kernel was told of the urgent byte" "$(grep mark "$WORK/kernel.err")" "mark 4"
    is "and read all of it, in line" "$(cat "$WORK/kernel.out")" hello

    kernel_input=$WORK/abcdefgh
    both $role /dev/null "" "urgent=5"
    ended $kernel "urgent data from the kernel, $role: its end closes in order" 0
    ended $node "and ours" 0
    is "we were told once" "$(grep -c 'urgent data, up to [1-5] byte' "$WORK/node.err")" 1
    is "and read all of it, in line" "$(cat "$WORK/node.out")" abcdefgh
done

# ---- silence ----

# count NAME TUN: how often the running node there has given this reason.
count()
{
    "$BIN/host" --status --json "$2" >"$WORK/status.json" && told "$WORK/status.json" "$1"
}

tun_of()
{
    [ "$1" = active ] && echo tun0 || echo tun1
}

mkfifo "$WORK/typed"
for role in active passive; do
    exec 8<>"$WORK/typed"
    # Without an answer to its keep-alives the kernel would give up after 4 s.
    both $role "$WORK/typed" "" keepalive=1
    sleep 5.5
    answered=$(count drop.tcp.sequence "$(tun_of $role)")
    check "the kernel's keep-alives, we are $role: $answered of them answered in 5.5 s" test "$answered" -ge 3
    printf 'late' >&8
    wait_for 5 grep -q late "$WORK/kernel.out"
    is "and the connection goes on" "$(cat "$WORK/kernel.out")" late
    # It would have: a node that is stopped answers none.
    kill -STOP $node
    ended $kernel "a node that answers none: the kernel's end gives up" 1
    check "because of that" grep -q "timed out" "$WORK/kernel.err"
    kill -KILL $node
    wait $node 2>/dev/null

    both $role "$WORK/typed" "--keepalive 0.5" ""
    sleep 2.8
    asked=$(count send.keepalive "$(tun_of $role)")
    check "our keep-alives, we are $role: $asked in 2.8 s" test $((asked >= 3 && asked <= 6)) -eq 1
    check "the timer is told" grep -q '"timer":"keepalive","timer_left":[0-9]' "$WORK/status.json"
    kill -0 $node
    is "the connection stands" $? 0
    printf 'late' >&8
    wait_for 5 grep -q late "$WORK/kernel.out"
    is "and goes on" "$(cat "$WORK/kernel.out")" late
    kill -KILL $node $kernel
    wait $node $kernel 2>/dev/null
    exec 8>&-
done

# ---- a kernel that dies ----

# Whatever the kernel's end would say or hear from now on is lost.
kernel_dies()
{
    iptables -w -A INPUT -p tcp -j DROP
    iptables -w -A OUTPUT -p tcp -j DROP
}

kernel_lives()
{
    iptables -w -D INPUT -p tcp -j DROP
    iptables -w -D OUTPUT -p tcp -j DROP
}

for role in active passive; do
    exec 8<>"$WORK/typed"
    both $role "$WORK/typed" "--user-timeout 2" ""
    printf 'before\n' >&8
    wait_for 5 grep -q before "$WORK/kernel.out"
    kernel_dies
    began=$(date +%s%3N)
    printf 'after\n' >&8
    wait $node
    code=$?
    took=$(($(date +%s%3N) - began))
    [ $role = active ] && is "the kernel dies, we are $role and have something to say: exit code" $code 1
    check "after the user timeout of 2 s: $took ms" test $((took >= 1900 && took < 4000)) -eq 1
    if [ $role = active ]; then
        check "it is said, with what to look at" grep -q "10.0.0.1:9000 stopped answering; .*netsetup status" "$WORK/node.err"
    else
        check "it is said" grep -q "the remote node does not answer" "$WORK/node.err"
    fi
    exec 8>&-
    kernel_lives
    stop $kernel KILL

    # The same while nobody says anything: ten silences of 0.3 s.
    exec 8<>"$WORK/typed"
    both $role "$WORK/typed" "--keepalive 0.3" ""
    kernel_dies
    began=$(date +%s%3N)
    wait $node
    code=$?
    took=$(($(date +%s%3N) - began))
    [ $role = active ] && is "the kernel dies in silence, we are $role with keep-alives: exit code" $code 1
    check "after nine of them: $took ms" test $((took >= 2500 && took < 5000)) -eq 1
    check "it is said" grep -q "stopped answering\|keep-alive" "$WORK/node.err"
    exec 8>&-
    kernel_lives
    stop $kernel KILL
done

# The kernel's process is killed with unread data: a reset.
exec 8<>"$WORK/typed"
both active "$WORK/typed" "" "hold=60"
kill -STOP $kernel
printf 'unread\n' >&8
wait_for 5 eval 'ss -Htn sport = :9000 | awk "\$2 > 0 { n = 1 } END { exit !n }"'
stop $kernel KILL
ended $node "the kernel's process is killed, unread data before it: exit code" 1
check "it is said" grep -q "10.0.0.1:9000 reset the connection; what was under way is lost" "$WORK/node.err"
exec 8>&-

finish
