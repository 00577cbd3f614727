#!/usr/bin/env bash
#
# netsetup is told to stop in the middle of a change: it completes the change, and then stops. The
# signals come from an iptables of our own, at the moment when a rule is being added or deleted.

. "$(dirname "$0")/lib.sh"
need iptables
need_tun

ulimit -c 0 # SIGQUIT
real=$(type -P iptables)
mkdir "$WORK/shim"
cat >"$WORK/shim/iptables" <<SHIM
#!/bin/sh
for a; do
    case \$a in
        -A | -D) for s in \$SIGNALS; do kill -\$s \$PPID \$\$; done ;;
    esac
done
exec $real "\$@"
SHIM
chmod +x "$WORK/shim/iptables"

# interrupted SIGNALS COMMAND: the shell's word for how it ended. Netsetup's iptables is signalled,
# too, as by a terminal.
interrupted()
{
    SIGNALS=$1 PATH=$WORK/shim:$PATH bash -c "exec '$BIN/netsetup' $2" >"$WORK/out" 2>&1
    echo $?
}

rules()
{
    iptables -w -t raw -S | grep -c twintun
}

iptables -w -t raw -S >/dev/null 2>&1 || { skip "everything" "no raw table in this kernel"; exit 77; }
for signal in INT TERM HUP QUIT; do
    number=$(kill -l $signal)
    is "up, SIG$signal: it ends by the signal" "$(interrupted $signal up)" $((128 + number))
    check "up, SIG$signal: but only when all is up" "$BIN/netsetup" status
    is "up, SIG$signal: with both rules" "$(rules)" 2
    is "down, SIG$signal: it ends by the signal" "$(interrupted $signal down)" $((128 + number))
    is "down, SIG$signal: but only without rules" "$(rules)" 0
    check "down, SIG$signal: and without devices" test ! -e /proc/sys/net/ipv4/conf/tun0
    check "down, SIG$signal: nothing is left to undo" grep -q 'nothing to undo' <("$BIN/netsetup" down 2>&1)
done
is "all four at once" "$(($(interrupted "INT TERM HUP QUIT" up) > 128))" 1
check "and all is up" "$BIN/netsetup" status
check "down" "$BIN/netsetup" down
finish
