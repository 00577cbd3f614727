#!/usr/bin/env bash
#
# What may happen in the life of a connection with the kernel's TCP: urgent data, long silence, and a
# kernel that dies. Roles and tool as in kernel_tcp.sh.

. "$(dirname "$0")/lib.sh"
need_tun
TOOLS=${TOOLS:-build/release/tools}

net_up

# kernel_end HOW WORDS: ksock in the background; its input is $WORK/to_kernel's, its pid $kernel.
kernel_end()
{
    local how=$1 address=10.0.1.5 port=8000
    shift
    [ "$how" = listen ] && address=10.0.0.1 && port=9000

    rm -f "$WORK/kernel.err"
    "$TOOLS/ksock" "$how" $address $port "$@" >"$WORK/kernel.out" 2>"$WORK/kernel.err" &
    kernel=$!
    wait_for 5 grep -qE "listening|connected" "$WORK/kernel.err"
}

# node_end HOW [OPTION...]: host that connects or peer that serves; its pid is $node.
node_end()
{
    local how=$1
    shift

    rm -f "$WORK/node.err"
    if [ "$how" = connect ]; then
        "$BIN/host" "$@" --port 9000 tun0 10.0.0.1/24 10.0.0.1 >"$WORK/node.out" 2>"$WORK/node.err" &
    else
        "$BIN/peer" --once --session cat "$@" tun1 10.0.1.1/24 10.0.0.7 >"$WORK/node.out" 2>"$WORK/node.err" &
    fi
    node=$!
    wait_for 5 grep -qE " ready on |connected to " "$WORK/node.err"
}

ended()
{
    wait "$1"
    is "$2" $? "$3"
}

# ---- urgent data ----

for role in active passive; do
    # The kernel knows one urgent byte, the last one; its mark stands before it.
    if [ $role = active ]; then
        kernel_end listen inline </dev/null
        printf 'hello' | node_end connect --urgent
        ended $kernel "urgent data from us, $role: the kernel's end closes in order" 0
    else
        (printf 'hello' && sleep 1) | node_end listen --urgent
        kernel_end connect inline </dev/null
        ended $kernel "urgent data from us, $role: the kernel's end closes in order" 0
    fi
    is "the kernel was told of the urgent byte" "$(grep mark "$WORK/kernel.err")" "mark 4"
    is "and read all of it, in line" "$(cat "$WORK/kernel.out")" hello
    wait_for 5 gone $node

    if [ $role = active ]; then
        printf 'abcdefgh' | kernel_end listen urgent=5
        node_end connect </dev/null
    else
        node_end listen </dev/null
        printf 'abcdefgh' | kernel_end connect urgent=5
    fi
    ended $kernel "urgent data from the kernel, $role: its end closes in order" 0
    wait_for 5 gone $node
    is "we were told once" "$(grep -c 'urgent data, up to [1-5] byte' "$WORK/node.err")" 1
    is "and read all of it, in line" "$(cat "$WORK/node.out")" abcdefgh
done

finish
