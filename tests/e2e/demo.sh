#!/usr/bin/env bash
#
# make demo, as a test: with a TUN, and on a machine that has none.

. "$(dirname "$0")/lib.sh"
need_tun

# says WHAT PATTERN: a line of the demo.
says()
{
    check "$1" grep -qE -- "$2" "$WORK/out"
}

ip -o link | sed 's/^[0-9]*: //' >"$WORK/before"
tests/demo.sh >"$WORK/out" 2>&1
is "the demo exits 0" $? 0
says "it says where it runs" "in a private network namespace, (with a user namespace|as root)"
says "the SYN, with the states beside it" "SYN-SENT +- SYN seq 0 .*-> LISTEN"
says "the SYN-ACK" "SYN-SENT +<-.* SYN\+ACK seq 0 ack 1 - SYN-RECEIVED"
says "the ACK" "ESTABLISHED +- ACK seq 1.*-> ESTABLISHED"
says "the last ACK of an orderly close" "TIME-WAIT +- ACK ack [0-9]+ .*-> CLOSED"
says "that numbers are relative, and to what" "relative: host began with [0-9]+, peer with"
says "what the third segment carries" "third segment ends the handshake, and carries data"
is "the ladder is at most 79 columns wide" "$(sed -n '/^ *ms host/,/^==/p' "$WORK/out" |
    awk 'length > 79')" ""
is "netsetup counts the changes that it printed" \
    "$(sed -n 's/^netsetup: up: \([0-9]*\) changes.*/\1/p' "$WORK/out")" \
    "$(sed -n '/^== netsetup up/,/^netsetup: up:/p' "$WORK/out" | grep -cE ': (ip|ip6?tables|sysctl) ')"
says "what to do next" "make network"
tshark=$(sed -n '/tshark -r/,/frame.comment/p' "$WORK/out")
if ! command -v tshark >/dev/null; then
    skip "the command that shows the reasons" "tshark is not installed"
else
    check "the command that shows the reasons does" grep -q 'send.syn' \
        <(bash -c "$tshark" 2>/dev/null | grep -E '\[SYN(, ECE, CWR)?\]')
fi
says "both hashes are equal" "^  equal$"
is "both hashes are shown" "$(grep -oE 'sha256 [0-9a-f]{64}' "$WORK/out" | sort -u | wc -l)" 1
says "how the connection ended" "host: 10.0.0.7:[0-9]+ - 10.0.1.5:8000: both sides closed in order"
for node in host peer; do
    says "where the capture of $node lies" "build/demo/$node.pcapng"
    check "it is there" test -s build/demo/$node.pcapng
done
is "no interface is left behind" "$(ip -o link | sed 's/^[0-9]*: //')" "$(cat "$WORK/before")"

# A FIN that completes the handshake, and FINs that are sent again, as by a tail loss probe, which
# change nothing.
line()
{
    echo "10:00:00.00000$1 tun0 Out IP 10.0.0.$2.1 > 10.0.0.$3.1: Flags [$4, length 0"
}
{
    line 0 1 2 "S], seq 100"
    line 1 2 1 "S.], seq 200, ack 101"
    line 2 1 2 "F.], seq 1, ack 1"
    line 3 1 2 "F.], seq 1, ack 1"
    line 4 2 1 "F.], seq 1, ack 2"
    line 5 2 1 "F.], seq 1, ack 2"
    line 6 1 2 ".], ack 2"
} | awk -v alone=1 -v host=10.0.0.1 -v peer=10.0.0.2 -f tests/ladder.awk >"$WORK/out"
is "a FIN sent again leaves both states as they are" "$(awk '/FIN seq/ { print $2, $NF }' "$WORK/out")" \
    "FIN-WAIT-1 CLOSE-WAIT
FIN-WAIT-1 CLOSE-WAIT
TIME-WAIT LAST-ACK
TIME-WAIT LAST-ACK"
says "and the last ACK closes" "TIME-WAIT +- ACK ack 2 .*-> CLOSED"

unshare -m sh -c 'mount -t tmpfs none /dev/net && tests/demo.sh' >"$WORK/out" 2>&1
is "without a TUN the demo exits 0" $? 0
says "it says so" "no TUN to be had"
says "it says what that means" "no packet can cross the kernel here"
says "the SYN-ACK, all the same" "SYN-SENT +<-.* SYN\+ACK seq 0 ack 1 - SYN-RECEIVED"
says "both hashes are equal" "^  equal$"

# A device file that the demo's root, who is root in a namespace of one user, may not open.
unshare -m sh -c 'mount -t tmpfs none /dev/net && mknod -m 600 /dev/net/tun c 10 200 &&
    chown 65534 /dev/net/tun && touch "$0/closed" && exec unshare -Ur tests/demo.sh' "$WORK" >"$WORK/out" 2>&1
if [ -e "$WORK/closed" ]; then
    says "a device file that may not be opened is called that" "chmod 666 /dev/net/tun"
else
    skip "a device file that may not be opened" "no device file can be made here"
fi

# Ctrl-C, in a terminal, early and late. (What & starts is deaf to SIGINT.) It may come between two
# programs, before the demo can say anything; then there is the terminal's ^C.
for moment in "netsetup up:" "peer serves"; do
    rm -f "$WORK/out" # or the last one's words are taken for this one's
    (
        for ((i = 0; i < 5000; i++)); do # the demo does not take long
            grep -qs "== $moment" "$WORK/out" && break
            sleep 0.002
        done
        printf '\003'
        sleep 3
    ) | (
        env --default-signal=INT script -qec "exec tests/demo.sh" /dev/null
        code=$?
        printf '\nstatus %d\n' $code
    ) >"$WORK/out" 2>&1 &
    wait_for 10 grep -q '^status' "$WORK/out"
    is "Ctrl-C at '$moment' ends it with 130" "$(grep '^status' "$WORK/out")" "status 130"
    says "it says that it is stopped" "^twintun demo: stopped; nothing is left|told to stop meanwhile|^\^C.?$"
    is "and nothing of the shell's" "$(grep -E 'wait_for|unbound|demo.sh: line|Killed' "$WORK/out")" ""
    check "no node runs" wait_for 5 eval '! pgrep -x "host|peer"'
done

# A folder that root has made, and a user who builds there.
mkdir -p "$WORK/house/build/demo" && cp -r tests "$WORK/house/" && chmod 755 "$WORK/house"
nobody=(setpriv --reuid 65534 --clear-groups)
if "${nobody[@]}" test -x "$WORK/house/tests/demo.sh" 2>/dev/null; then
    for dir in build/demo build; do
        is "a $dir of root's is said in one line" "$("${nobody[@]}" "$WORK/house/tests/demo.sh" 2>&1)" \
            "twintun demo: $dir is not yours to write (owner: root); remove it: sudo rm -rf build"
        rm -rf "$WORK/house/build/demo"
    done
else
    skip "a build/ of root's" "no other user can be had here, or none that may read this folder"
fi

finish
