#!/usr/bin/env bash
#
# netsetup run: the exit code, signals and terminal are CMD's; and whatever is killed, at whatever
# moment, the machine is what it was before, with no further command. With --rootless, that it needs
# nothing, and what it says where the system forbids it.

. "$(dirname "$0")/lib.sh"
need_tun
need pgrep setpriv
NETSETUP=$PWD/$BIN/netsetup

# Without a terminal, as in `make test`, signals are netsetup's to pass on.
[ -n "${RUN_TEST_ALONE-}" ] || RUN_TEST_ALONE=1 exec setsid -w bash "$0" "$@"

# code COMMAND...: how it ends.
code()
{
    "$@" >"$WORK/out" 2>&1
    echo $?
}

restored()
{
    machine "$WORK/after"
    cmp -s "$WORK/before" "$WORK/after"
}

# is_restored WHAT: within four seconds, by itself.
is_restored()
{
    wait_for 4 restored && ok "$1" && return
    not_ok "$1" "$(diff "$WORK/before" "$WORK/after")"
    "$NETSETUP" -q down --all
}

# running [OPTION...]: netsetup run, until CMD runs. $main, $guardian, $cmd are the processes.
running()
{
    rm -f "$WORK/pid"
    env --default-signal=INT "$NETSETUP" run "$@" -- sh -c 'echo $$ >"$0"; exec sleep 50' "$WORK/pid" >"$WORK/out" 2>&1 &
    main=$!
    wait_for 5 test -s "$WORK/pid"
    cmd=$(cat "$WORK/pid")
    guardian=$(pgrep -P $main -x netsetup-guard)
}

# Somebody else's things, in every table, and forwarding in parts.
for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
    for chain in raw/PREROUTING raw/OUTPUT mangle/FORWARD filter/FORWARD filter/INPUT nat/POSTROUTING; do
        $tool -w -t "${chain%/*}" -A "${chain#*/}" -o tun7 -j ACCEPT 2>/dev/null ||
            $tool -w -t "${chain%/*}" -A "${chain#*/}" -i tun7 -j ACCEPT 2>/dev/null
    done
done
nft 'add table inet other; add chain inet other pre { type filter hook prerouting priority -300; };
    add rule inet other pre iifname "tun7" notrack' 2>/dev/null
echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding
machine "$WORK/before"

is "the exit code is CMD's" "$(code "$NETSETUP" run -- sh -c 'exit 7')" 7
is_restored "and the machine is what it was"
is "128 and the signal that ended it" "$(code "$NETSETUP" run -- sh -c 'kill -9 $$')" 137
is "126: it cannot be run" "$(code "$NETSETUP" run -- "$WORK/before")" 126
is "127: there is none" "$(code "$NETSETUP" run -- no-such-program)" 127
is "options behind it are CMD's" "$("$NETSETUP" run -- echo -v --all 2>&1)" "-v --all"
is "so is the environment" "$(LC_ALL=C.UTF-8 PATH=/usr/bin:/bin "$NETSETUP" run -- sh -c 'echo $LC_ALL $PATH')" \
    "C.UTF-8 /usr/bin:/bin"
is "and standard input" "$(echo hello | "$NETSETUP" run -- cat)" "hello"
is "run what?" "$(code "$NETSETUP" run)" 2
check "while it runs, the lab is up" "$NETSETUP" run -- "$NETSETUP" status
is_restored "afterwards it is not"

for signal in TERM INT HUP USR1; do
    running
    kill -$signal $main
    wait $main
    is "SIG$signal is passed on to CMD" $? $((128 + $(kill -l $signal)))
done
is_restored "after each, the machine is what it was"
# timeout has a group of its own, to which it passes the signal on.
rm -f "$WORK/pid"
timeout -s USR1 60 "$NETSETUP" run -- bash -c 'n=0; trap "n=\$((n + 1))" USR1; echo $$ >"$0"
    while [ $n = 0 ]; do sleep 0.05; done; for i in 1 2 3 4; do sleep 0.2; done; exit $n' "$WORK/pid" &
main=$!
wait_for 10 test -s "$WORK/pid"
kill -USR1 $main
wait $main
is "a signal for the whole group reaches CMD once" $? 1

# Each process in turn, with the whole of it at rest.
running
kill -KILL $cmd
wait $main
is "CMD killed: 137" $? 137
is_restored "CMD killed: restored"
running
kill -KILL $main
is_restored "netsetup killed: restored"
check "netsetup killed: CMD is ended" wait_for 5 gone $cmd
running
kill -KILL $guardian
wait_for 5 eval 'pgrep -P $main -x netsetup-guard | grep -vx $guardian'
kill -0 $main && kill -0 $cmd
is "the guardian killed: the rest goes on" $? 0
kill -KILL $main
is_restored "and then netsetup killed: restored, by another guardian"
check "CMD is ended" wait_for 5 gone $cmd
running
kill -KILL $guardian $main $cmd
wait $main 2>/dev/null
check "all killed at once: the next down restores" "$NETSETUP" -q down
is_restored "and leaves nothing"

# netsetup, at moments spread over its setting up and taking down.
bad=
for n in 003 007 014 022 032 045 060 080; do
    timeout -s KILL 0.$n "$NETSETUP" -q run -- true >/dev/null 2>&1
    wait_for 4 restored || bad="$bad 0.$n"
done 2>/dev/null
is "netsetup killed at eight moments: restored each time" "$bad" ""

# Two at once, and one beside `up`.
running
first=$main first_cmd=$cmd
running
kill $cmd
wait $main
check "of two runs, the end of one leaves the other its network" "$NETSETUP" status
kill $first_cmd
wait $first
is_restored "the end of both restores"
running
"$NETSETUP" -q up
kill $cmd
wait $main
check "what 'up' needs stays when a run ends" "$NETSETUP" status
running
"$NETSETUP" down >"$WORK/out" 2>&1
check "what a run needs stays at 'down'" "$NETSETUP" status
check "which says so" grep -q "changes stay: 'netsetup run', process $main needs them" "$WORK/out"
kill $cmd
wait $main
is_restored "the end of it restores"
running
check "down --all takes it from under a run" "$NETSETUP" -q down --all
is_restored "down --all restores"
kill $cmd
wait $main
is_restored "and the end of the run changes nothing"
"$NETSETUP" -q up --lab a
"$NETSETUP" -q up --lab b
"$NETSETUP" -q down --lab a
check "of two labs, one that goes leaves the other what it needs" "$NETSETUP" status
check "down without a name says whose it is" grep -q "is not ours: the lab 'b' made it" \
    <("$NETSETUP" down 2>&1)
"$NETSETUP" -q down --lab b
is_restored "the last one restores"

# Signals that netsetup comes to see only when CMD has ended already, as it may on a busy machine.
# CMD stops netsetup, signals it and ends; somebody else lets netsetup go on.
cat >"$WORK/late" <<'END'
state() { sed 's/.*) //' "/proc/$1/stat" | cut -c1; }
main=$PPID
trap '' INT TERM
kill -STOP $main
while [ "$(state $main)" != T ]; do sleep 0.01; done
kill -INT $main
kill -TERM $main
(until [ "$(state $$)" = Z ]; do sleep 0.01; done; kill -CONT $main) &
exit 9
END
is "signals that come as CMD ends: the exit code is CMD's" "$(code "$NETSETUP" run -- sh "$WORK/late")" 9
is_restored "and the machine is what it was"

# In a terminal. The shell of script(1), which need not be one that goes out of the way by itself, makes
# way: Ctrl-C would end it too, and its exit code be the one that is seen.
if command -v script >/dev/null; then
    rm -f "$WORK/pid"
    ( wait_for 5 test -s "$WORK/pid"; printf '\003'; sleep 2 ) | (
        env --default-signal=INT script -qec "exec $NETSETUP run -- bash -c 'trap \"exit 9\" INT
            echo \$\$ >$WORK/pid; sleep 20 & wait'" /dev/null
        echo "status $?"
    ) >"$WORK/out" 2>&1 &
    wait_for 8 grep -q 'status ' "$WORK/out"
    is "Ctrl-C is for CMD" "$(grep -o 'status [0-9]*' "$WORK/out")" "status 9"
    is_restored "after Ctrl-C: restored"
fi

# One that comes while netsetup sets up.
mkdir "$WORK/shim" && printf '#!/bin/sh\nkill -TERM $PPID\nexec %s "$@"\n' "$(type -P iptables)" \
    >"$WORK/shim/iptables" && chmod +x "$WORK/shim/iptables"
is "told to stop while it sets up: it does not start CMD" \
    "$(PATH=$WORK/shim:$PATH code "$NETSETUP" run -- touch "$WORK/started")" 143
check "it has not" test ! -e "$WORK/started"
is_restored "and restores"

# ---- a network of its own ----

is "rootless: the exit code is CMD's" "$(code "$NETSETUP" run --rootless -- sh -c 'exit 7')" 7
check "rootless: the lab is up in it" "$NETSETUP" run --rootless -- "$NETSETUP" status
if [ -x build/asan/bin/netsetup ]; then
    is "rootless: a build with sanitizers ends, too" \
        "$(code timeout -s KILL 60 build/asan/bin/netsetup run --rootless -- sh -c 'exit 7')" 7
else
    skip "rootless: a build with sanitizers ends, too" "there is none: make BUILD=asan"
fi
is "rootless: it is another network" "$("$NETSETUP" run --rootless -- readlink /proc/self/ns/net |
    grep -c "$(readlink /proc/self/ns/net)")" 0
is_restored "rootless: nothing of it is to be seen here"
"$NETSETUP" run --rootless -- sh -c 'sleep 51 & setsid sleep 51 & sleep 0.1' >/dev/null
check "rootless: what CMD leaves running ends with it" wait_for 5 eval '! pgrep -f "^sleep 51"'
for who in main init cmd; do
    "$NETSETUP" run --rootless -- sh -c 'sleep 52 & exec sleep 52' >/dev/null 2>&1 &
    main=$!
    wait_for 5 eval 'cmd=$(pgrep -P $main -x sleep)'
    cmd=$(pgrep -P $main -x sleep) init=$(pgrep -P $main -x netsetup-init)
    kill -KILL ${!who}
    wait $main 2>/dev/null
    check "rootless, $who killed: no process is left" wait_for 5 eval '! pgrep -f "^sleep 52|netsetup-init"'
done

# As a user who may do nothing. The device file is one that every user may open.
user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
mkdir -m 755 "$WORK/any" && cp "$NETSETUP" "$WORK/any/netsetup" && chmod 755 "$WORK" "$WORK/any"
if ! "${user[@]}" "$WORK/any/netsetup" --version >/dev/null 2>&1; then
    skip "as an unprivileged user" "no other user can be had here, or none that may read this folder"
    finish
fi
is "on the machine itself a user may not" "$(code "${user[@]}" "$WORK/any/netsetup" run -- true)" 4
check "and is told how" grep -q "any/netsetup run --rootless -- CMD" "$WORK/out"
if mknod -m 666 "$WORK/tun" c 10 200 2>/dev/null; then
    mount --bind "$WORK/tun" /dev/net/tun
    is "rootless, a user needs nothing" \
        "$("${user[@]}" "$WORK/any/netsetup" run --rootless -- cat /proc/sys/net/ipv4/ip_forward 2>&1)" 1
    chmod 600 "$WORK/tun"
    is "the device forbidden: 4" "$(code "${user[@]}" "$WORK/any/netsetup" run --rootless -- true)" 4
    check "it names the device, and the cure" grep -q 'as root: chmod 666 /dev/net/tun' "$WORK/out"
    umount /dev/net/tun
fi
# A limit of a user namespace is its own.
is "no user namespaces: 4" "$(code unshare -U -r bash -c \
    'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all "$0" run --rootless -- true' \
    "$WORK/any/netsetup")" 4
check "it names the setting" grep -q 'user.max_user_namespaces is 0; as root: sysctl -w' "$WORK/out"
# refused SETTING VALUE: on a system with that setting, and a refusal, which chroot stands for.
refused()
{
    rm -rf "$WORK/any/set"
    unshare -m bash -c 'mkdir -p "$0/root" "$0/set" && echo "$3" >"$0/set/$2" &&
        mount --bind "$0/set" /proc/sys/kernel && mount --rbind / "$0/root" &&
        exec chroot --userspec 65534:65534 "$0/root" "$1" run --rootless -- true' \
        "$WORK/any" "$WORK/any/netsetup" "$1" "$2" >"$WORK/out" 2>&1
}
forbidden()
{
    refused "$@"
    is "$1 is $2: 4" $? 4
    check "it names it, and the cure" grep -q "kernel.$1 is $2; as root: sysctl -w kernel.$1=$((1 - $2))" \
        "$WORK/out"
}
forbidden unprivileged_userns_clone 0
forbidden apparmor_restrict_unprivileged_userns 1
refused other 1
check "anything else is said as it is" grep -q 'cannot make a user namespace: Operation not permitted; a container' \
    "$WORK/out"
finish
