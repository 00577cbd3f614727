#!/usr/bin/env bash
#
# Find what is missing on this machine and install it, with the distribution's own package manager.
#
#   netsetup/deps.sh [build] [run] [test] [extra]     default: build run test
#
# build: the compiler and the libraries; run: what netsetup calls; test: what the tests call; extra:
# what the tests use where it exists (a second compiler, a formatter, checkers, strace).
#
# Looking is quick and uses no network; when nothing is missing that is all that happens. Installing
# needs root: as another user it goes through sudo. Exit codes: 0 nothing is missing (any more), 4
# something is, and the line says what to do.

set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# group | what is looked for | apt | dnf | pacman
# A name of the form lib:NAME is asked of pkg-config, header:NAME is a file of /usr/include, libfuzzer
# is asked of clang, any other is a command. What a distribution does not have is "-" there, and not
# missed.
table='
build | cc            | gcc libc6-dev      | gcc                 | gcc
build | make          | make               | make                | make
build | pkg-config    | pkg-config         | pkgconf-pkg-config  | pkgconf
build | lib:libnl-3.0 | libnl-3-dev        | libnl3-devel        | libnl
build | lib:libnl-route-3.0 | libnl-route-3-dev | libnl3-devel   | libnl
build | lib:jansson   | libjansson-dev     | jansson-devel       | jansson
build | lib:libsodium | libsodium-dev      | libsodium-devel     | libsodium
build | lib:libcap-ng | libcap-ng-dev      | libcap-ng-devel     | libcap-ng
run   | ip            | iproute2           | iproute             | iproute2
run   | iptables      | iptables           | iptables-nft        | iptables
run   | unshare       | util-linux         | util-linux          | util-linux
test  | lib:cmocka    | libcmocka-dev      | libcmocka-devel     | cmocka
test  | tcpdump       | tcpdump            | tcpdump             | tcpdump
test  | nc            | netcat-openbsd     | netcat              | openbsd-netcat
test  | ping          | iputils-ping       | iputils             | iputils
test  | curl          | curl               | curl                | curl
test  | pgrep         | procps             | procps-ng           | procps-ng
extra | clang         | clang              | clang               | clang
extra | clang-format  | clang-format       | clang-tools-extra   | clang
extra | cppcheck      | cppcheck           | cppcheck            | cppcheck
extra | firewall-cmd  | firewalld          | firewalld           | firewalld
extra | dbus-daemon   | dbus               | dbus-daemon         | dbus
extra | nft           | nftables           | nftables            | nftables
extra | groff         | groff-base         | groff-base          | groff
extra | setcap        | libcap2-bin        | libcap              | libcap
extra | strace        | strace             | strace              | strace
extra | traceroute    | traceroute         | traceroute          | traceroute
extra | tracepath     | iputils-tracepath  | iputils             | iputils
extra | libfuzzer     | libclang-rt-dev    | compiler-rt         | compiler-rt
extra | valgrind      | valgrind           | valgrind            | valgrind
extra | header:lwip/lwip/init.h | liblwip-dev | -                | -
'

present()
{
    case $1 in
    lib:*) pkg-config --exists "${1#lib:}" 2>/dev/null ;;
    header:*) [ -e "/usr/include/${1#header:}" ] ;;
    libfuzzer) ls "$(clang --print-runtime-dir 2>/dev/null)"/libclang_rt.fuzzer*.a >/dev/null 2>&1 ;;
    nc) nc -h 2>&1 | grep -qi openbsd ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

manager()
{
    local m

    for m in apt-get dnf pacman; do
        command -v "$m" >/dev/null && echo "$m" && return
    done
}

# missing GROUPS COLUMN: the names (column 2) or packages (3 to 5) of what is not there.
missing()
{
    local group name apt dnf pacman here

    here=$(manager)
    while IFS='|' read -r group name apt dnf pacman; do
        group=${group// /} name=${name// /}
        case " $1 " in *" $group "*) ;; *) continue ;; esac
        [ -z "$group" ] && continue
        present "$name" && continue
        case "$here ${dnf// /}${pacman// /}" in "dnf -"* | "pacman "*-) continue ;; esac
        case $2 in
        names) echo "${name#lib:}" ;;
        apt-get) echo $apt ;;
        dnf) echo $dnf ;;
        pacman) echo $pacman ;;
        esac
    done <<<"$table" | sort -u | tr '\n' ' ' | sed 's/ *$//'
}

install_packages()
{
    local m=$1
    shift

    case $m in
    apt-get)
        # The lists of a fresh machine may be empty or too old: fetch them when the first try fails.
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
            { $sudo apt-get update -q &&
                $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
                    --no-install-recommends "$@"; }
        ;;
    dnf) $sudo dnf install -y -q "$@" ;;
    pacman)
        $sudo pacman -S --needed --noconfirm "$@" || $sudo pacman -Sy --needed --noconfirm "$@"
        ;;
    esac </dev/null >&2
}

groups=${*:-build run test}
names=$(missing "$groups" names)
if [ -z "$names" ]; then
    echo "deps: nothing is missing"
    exit 0
fi

m=$(manager)
if [ -z "$m" ]; then
    echo "deps: missing: $names; no apt-get, dnf or pacman here: install them by hand" >&2
    exit 4
fi
packages=$(missing "$groups" "$m")

sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    if ! command -v sudo >/dev/null; then
        verb=install
        [ "$m" = pacman ] && verb=-S
        echo "deps: missing: $names; run as root: $m $verb $packages" >&2
        exit 4
    fi
fi

echo "deps: missing: $names; installing with $m: $packages"
# shellcheck disable=SC2086
install_packages "$m" $packages
status=$?
names=$(missing "$groups" names)
if [ -n "$names" ]; then
    echo "deps: still missing: $names ($m ended with $status); install by hand: $packages" >&2
    exit 4
fi
echo "deps: nothing is missing any more"
