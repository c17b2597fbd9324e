#!/bin/sh
# Starts, stops and removes one Jump Client; its installer wrote this file.
#
#   init-script start | stop | restart | status      exit statuses as in LSB
#   init-script disable | enable                     let nobody jump to this host for now
#
# It is plain POSIX sh, and removal needs nothing else: a host whose Python is gone or
# whose installation was cut in the middle can still be cleaned.

#@FACTS@

PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
REMOVE_ME=86
UPDATE_ME=87
DROP='import os, pwd, sys
user = pwd.getpwnam(sys.argv[1])
os.initgroups(user.pw_name, user.pw_gid)
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
os.chdir("/")
os.execv(sys.argv[2], sys.argv[2:])'

# One heap is enough for one busy thread, and freed memory goes back early.
export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072

case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in fr*) french=yes ;; *) french= ;; esac

say() { # ENGLISH FRENCH
    [ -n "$quiet" ] || if [ -n "$french" ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

complain() { # ENGLISH FRENCH
    if [ -n "$french" ]; then set -- "$2"; fi
    printf '%s: %s\n' "$NAME" "$1" >&2
    note "$1"
}

note() { logger -t "$NAME" -p daemon.notice -- "$1" 2>/dev/null || :; }

is_root() { [ "$(id -u)" = 0 ]; }

nap() { sleep 0.1 2>/dev/null || sleep 1; }

find_python() {
    # shellcheck disable=SC2153 # the installer's facts are above
    if [ -x "$PYTHON" ]; then
        python=$PYTHON
        return 0
    fi
    for python in $PYTHONS; do
        if [ -n "$MAC" ] && is_root; then
            # What is not root's, such as Homebrew's, its owner could change.
            [ "$(stat -L -f %u "$python" 2>/dev/null)" = 0 ] || continue
        fi
        "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null &&
            return 0
    done
    python=
    return 1
}

# Becomes the agent's command COMMAND, as the agent's user.
become_agent() { # COMMAND
    find_python || return 127
    if is_root; then
        exec "$python" -I -S -c "$DROP" "$RUN_AS" "$python" -I -S "$DIR/lib" "$@"
    fi
    cd / && exec "$python" -I -S "$DIR/lib" "$@"
}

# Whether this installation must go instead of running: a removal that a power cut
# interrupted, or an installation that was never finished.
must_go() {
    [ -e "$DIR/removing" ] ||
        ! grep -q '"complete": true' "$DIR/install.json" 2>/dev/null
}

# The board's identity, which root alone may read, for the agent's fingerprint. Written at
# each start, so that a copied disk does not carry another board's.
write_hardware() {
    is_root && [ -r /sys/class/dmi/id/product_uuid ] || return 0
    sha256sum </sys/class/dmi/id/product_uuid 2>/dev/null | cut -c 1-64 >"$DIR/.hardware.new" &&
        chown "root:$(id -g "$RUN_AS")" "$DIR/.hardware.new" && chmod 640 "$DIR/.hardware.new" &&
        mv -f "$DIR/.hardware.new" "$DIR/hardware"
}

# Applies an update that the agent staged, confirms it, or takes it back: before each start,
# as who owns the code. The version that is known to work decides about the new one.
settle() {
    [ -e "$DIR/var/update/order.json" ] ||
        { [ -e "$DIR/update.json" ] && ! grep -q '"settled": true' "$DIR/update.json"; } ||
        return 0
    must_go && return 0
    find_python || return 0
    code=$DIR/previous
    [ -e "$code/__main__.py" ] || code=$DIR/lib
    (cd / && "$python" -I -S "$code" settle --dir "$DIR") ||
        note "the update of the Jump Client could not be settled"
}

# Ends a new version that was not let in within its time; the next start counts it.
watch_trial() { # PID
    [ -r "$DIR/trial" ] && read -r seconds order <"$DIR/trial" || return 0
    while [ "$seconds" -gt 0 ]; do
        is_alive "$1" || return 0
        [ "$(cat "$DIR/var/update/welcomed" 2>/dev/null)" != "$order" ] || return 0
        sleep 1
        seconds=$((seconds - 1))
    done
    note "the new version was not let in within its time"
    kill "$1" 2>/dev/null
    sleep 10
    ! is_alive "$1" || kill -KILL "$1" 2>/dev/null
}

run() {
    must_go && exit "$REMOVE_ME"
    become_agent run
}

# --- the supervisor, where no service manager does its work ---------------------------

if [ "$OWNER" != root ]; then
    PIDFILE=$DIR/var/supervisor.pid
elif [ -d /run ]; then
    PIDFILE=/run/$NAME.pid
else
    PIDFILE=/var/run/$NAME.pid
fi

supervisor_pid() {
    pid=$(cat "$PIDFILE" 2>/dev/null) && [ -n "$pid" ] || return 1
    if [ ! -e /proc/self ]; then
        case $(ps -ww -o command= -p "$pid" 2>/dev/null) in
        *"$DIR/init-script supervise") return 0 ;;
        *) return 1 ;;
        esac
    fi
    [ -r "/proc/$pid/cmdline" ] &&
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -Fqx "$DIR/init-script" &&
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -Fqx supervise
}

supervise() {
    printf '%s\n' $$ >"$PIDFILE"
    child='' stopping=''
    trap 'stopping=yes; [ -z "$child" ] || kill "$child" 2>/dev/null' TERM INT HUP
    pause=1
    while :; do
        began=$(date +%s)
        settle
        [ -z "$stopping" ] || break
        run &
        child=$!
        # Twice in the background: nobody has to wait for it.
        (watch_trial "$child" &)
        await_child
        [ -z "$stopping" ] || break
        if [ "$status" = "$REMOVE_ME" ]; then
            rm -f "$PIDFILE"
            quiet=yes
            remove by_agent
            exit 0
        fi
        [ "$status" != "$UPDATE_ME" ] || continue
        if [ $(($(date +%s) - began)) -ge 60 ]; then pause=1; fi
        note "the agent ended with status $status; starting it again in $pause s"
        sleep "$pause" &
        child=$!
        await_child
        [ -z "$stopping" ] || break
        pause=$((pause * 2))
        [ "$pause" -le 60 ] || pause=60
    done
    rm -f "$PIDFILE"
}

# `wait` also returns when the trap ran: the child's own status comes from the last one.
await_child() {
    wait "$child"
    status=$?
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        status=$?
    done
    child=
}

supervisor_start() {
    supervisor_pid && return 0
    write_hardware
    if command -v setsid >/dev/null 2>&1; then
        setsid /bin/sh "$DIR/init-script" supervise </dev/null >/dev/null 2>&1 &
    else
        nohup /bin/sh "$DIR/init-script" supervise </dev/null >/dev/null 2>&1 &
    fi
    tries=0
    until supervisor_pid; do
        # An installation that must go is gone before it has a supervisor to show.
        [ -e "$DIR/init-script" ] || return 0
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || return 1
        nap
    done
}

supervisor_stop() {
    supervisor_pid || { rm -f "$PIDFILE"; return 0; }
    victim=$pid
    kill "$victim" 2>/dev/null
    tries=0
    while is_alive "$victim"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ]; then
            kill -KILL -- "-$victim" 2>/dev/null || kill -KILL "$victim" 2>/dev/null
            break
        fi
        nap
    done
    rm -f "$PIDFILE"
}

is_alive() {
    if [ -e /proc/self ]; then
        grep -qs '^State:.[^ZX]' "/proc/$1/status"
    else
        case $(ps -o state= -p "$1" 2>/dev/null) in '' | Z*) return 1 ;; esac
    fi
}

supervisor_status() {
    if supervisor_pid; then return 0; fi
    if [ -e "$PIDFILE" ]; then return 1; fi
    return 3
}

# --- the service manager --------------------------------------------------------------

service_manager() { # systemctl with the right manager
    if [ "$OWNER" = root ]; then
        systemctl "$@"
    else
        XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)} systemctl --user "$@"
    fi
}

# --- launchd --------------------------------------------------------------------------

if [ "$OWNER" = root ]; then DOMAIN=system; else DOMAIN=gui/$(id -u); fi

launchd_start() {
    tries=0
    # What was unloaded a moment ago may still be on its way out, and is then not taken.
    until launchd_has_it || launchctl bootstrap "$DOMAIN" "$BOOT_ENTRY" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || {
            launchctl bootstrap "$DOMAIN" "$BOOT_ENTRY"
            return
        }
        nap
    done
    # One that has just failed, and waits for its next start, is not kept waiting.
    launchctl kickstart "$DOMAIN/$NAME" >/dev/null 2>&1
    tries=0
    until launchd_status; do
        # An installation that must go is gone before it can be seen to run.
        [ -e "$DIR/init-script" ] || return 0
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || return 1
        nap
    done
}

launchd_stop() {
    launchctl bootout "$DOMAIN/$NAME" 2>/dev/null
    tries=0
    while launchd_has_it; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || return 1
        nap
    done
}

launchd_has_it() { launchctl print "$DOMAIN/$NAME" >/dev/null 2>&1; }

launchd_status() {
    launchctl print "$DOMAIN/$NAME" 2>/dev/null | grep -q 'state = running' && return 0
    if launchd_has_it; then return 1; fi
    return 3
}

# What launchd itself starts and keeps alive. It sends SIGTERM to this shell alone.
launched() {
    child='' stopping=''
    trap 'stopping=yes; [ -z "$child" ] || kill "$child" 2>/dev/null' TERM INT HUP
    write_hardware
    run &
    child=$!
    await_child
    if [ -z "$stopping" ] && [ "$status" = "$REMOVE_ME" ]; then
        quiet=yes
        remove by_agent
    fi
    exit "$status"
}

control() { # start | stop | status
    case $STARTUP in
    systemd)
        case $1 in
        status)
            service_manager is-active --quiet "$NAME.service" && return 0
            service_manager is-failed --quiet "$NAME.service" && return 1
            return 3
            ;;
        *) service_manager "$1" "$NAME.service" ;;
        esac
        ;;
    openrc)
        case $1 in
        status) supervisor_status ;;
        *) rc-service --quiet "$NAME" "$1" ;;
        esac
        ;;
    launchd)
        case $1 in
        start) launchd_start ;;
        stop) launchd_stop ;;
        status) launchd_status ;;
        esac
        ;;
    *) "supervisor_$1" ;;
    esac
}

show_status() {
    control status
    status=$?
    case $status in
    0) say "$NAME is running" "$NAME est en marche" ;;
    *) say "$NAME is not running" "$NAME est à l'arrêt" ;;
    esac
    return "$status"
}

# --- removal --------------------------------------------------------------------------
#
# Every step may be repeated, and DIR goes last: whatever a power cut leaves, either the
# boot entry or another run of `uninstall` finishes it.

remove() { # by_hand | by_agent
    if [ "$(cat "$DIR/removing" 2>/dev/null)" = local ]; then local=yes; fi
    { printf '%s\n' "${local:+local}" >"$DIR/removing"; } 2>/dev/null ||
        [ -e "$DIR/removing" ] || {
        complain "$DIR cannot be removed" "impossible de supprimer $DIR"
        return 1
    }
    sync "$DIR/removing" 2>/dev/null || :
    [ "$1" = by_agent ] || control stop >/dev/null 2>&1
    tell_server "$1"
    for entry in "$DIR"/* "$DIR"/.[!.]*; do
        case $entry in
        "$DIR/init-script" | "$DIR/uninstall" | "$DIR/install.json" | "$DIR/removing") ;;
        *) rm -rf "$entry" ;;
        esac
    done
    unregister "$1"
    forget_account
    cd / || :
    if ! rm -rf "$DIR"; then
        complain "$DIR cannot be removed" "impossible de supprimer $DIR"
        return 1
    fi
    forget_parents
    note "the Jump Client in $DIR was removed"
    say "the Jump Client in $DIR was removed" "le Jump Client de $DIR est désinstallé"
    # Last of all, for launchd ends this very shell with it.
    if [ "$STARTUP" = launchd ] && [ "$1" = by_agent ]; then
        exec launchctl bootout "$DOMAIN/$NAME"
    fi
}

tell_server() { # by_hand | by_agent
    [ -z "$local" ] || return 0
    [ -e "$DIR/lib" ] && [ -e "$DIR/var/state.json" ] || return 0
    (become_agent farewell "$1") >/dev/null 2>&1 && return 0
    complain "the server could not be told; delete the record there" \
        "le serveur n'a pas pu être prévenu ; supprimez-y la fiche"
}

unregister() { # by_hand | by_agent
    case $STARTUP in
    systemd)
        [ "$1" = by_agent ] || service_manager stop "$NAME.service" 2>/dev/null
        directory=${BOOT_ENTRY%/*}
        rm -f "$directory/multi-user.target.wants/$NAME.service" \
            "$directory/default.target.wants/$NAME.service" "$BOOT_ENTRY"
        if [ "$OWNER" != root ]; then
            rmdir "$directory/default.target.wants" 2>/dev/null
            if [ -n "$LINGER_MADE" ] && ! ls "$directory"/*.wants/* >/dev/null 2>&1; then
                loginctl disable-linger >/dev/null 2>&1
            fi
        fi
        service_manager daemon-reload 2>/dev/null
        service_manager reset-failed "$NAME.service" 2>/dev/null
        ;;
    sysv)
        rm -f "$BOOT_ENTRY"
        update-rc.d -f "$NAME" remove >/dev/null 2>&1 || insserv -r "$NAME" >/dev/null 2>&1
        rm -f /etc/rc?.d/[SK][0-9][0-9]"$NAME"
        ;;
    openrc)
        rc-service --quiet "$NAME" zap >/dev/null 2>&1
        rc-update --quiet del "$NAME" default >/dev/null 2>&1
        rm -f "/etc/runlevels/default/$NAME" "$BOOT_ENTRY"
        ;;
    launchd)
        [ "$1" = by_agent ] || launchd_stop
        rm -f "$BOOT_ENTRY"
        ;;
    cron)
        crontab -l 2>/dev/null | grep -Fv "# $NAME" >"$DIR/.crontab"
        if [ -s "$DIR/.crontab" ]; then crontab "$DIR/.crontab"; else crontab -r 2>/dev/null; fi
        ;;
    esac
    return 0
}

# The account goes with the last installation that runs as it, if an installer made it.
forget_account() {
    [ -n "$ACCOUNT" ] || return 0
    rm -f "$REGISTRY/$NAME"
    for other in "$REGISTRY"/tremplin-jump-client-*; do
        [ ! -e "$other" ] || [ ! -d "$(cat "$other")" ] || return 0
    done
    if [ -e "$REGISTRY/account-made" ]; then
        if [ -n "$MAC" ]; then
            dscl . -delete "/Users/$ACCOUNT" >/dev/null 2>&1
            dscl . -delete "/Groups/$ACCOUNT" >/dev/null 2>&1
        else
            userdel "$ACCOUNT" >/dev/null 2>&1 || deluser "$ACCOUNT" >/dev/null 2>&1 || :
        fi
    fi
    rm -rf "$REGISTRY"
}

# Leaves to the one whose installation it is: root's to root, a user's to that user, for
# root must not run what belongs to a user.
as_owner() { # EXIT-STATUS ACTION [ARGUMENT…]
    refusal=$1
    shift
    hand_over "$@"
    if [ "$OWNER" = root ] && ! is_root; then
        complain "root installed this Jump Client; run this as root" \
            "ce Jump Client a été installé par root ; lancez cette commande en root"
        exit "$refusal"
    fi
    if [ "$OWNER" != root ] && [ "$(id -un)" != "$RUN_AS" ]; then
        complain "$RUN_AS installed this Jump Client; run this as $RUN_AS" \
            "ce Jump Client a été installé par $RUN_AS ; lancez cette commande sous ce nom"
        exit "$refusal"
    fi
}

hand_over() { # ACTION [ARGUMENT…]
    if [ "$OWNER" != root ] && is_root && find_python; then
        exec "$python" -I -S -c "$DROP" "$RUN_AS" /bin/sh "$DIR/init-script" "$@"
    fi
}

uninstall() { # [--local] [--quiet]
    as_owner 15 uninstall "$@"
    for option in "$@"; do
        case $option in
        --local) local=yes ;;
        --quiet) quiet=yes ;;
        *)
            echo "usage: $DIR/uninstall [--local] [--quiet]" >&2
            return 2
            ;;
        esac
    done
    remove by_hand
}

# --- what is asked --------------------------------------------------------------------

main() {
    quiet='' local=''
    action=${1:-}
    [ $# -eq 0 ] || shift
    case $action in
    start | stop | restart)
        as_owner 4 "$action"
        if [ "$action" != start ]; then control stop || return 1; fi
        if [ "$action" != stop ]; then control start || return 1; fi
        ;;
    disable | enable)
        as_owner 4 "$action"
        (become_agent "$action") || return 1
        ;;
    status)
        hand_over status
        show_status
        ;;
    supervisor-start) supervisor_start ;;
    supervisor-stop) supervisor_stop ;;
    supervisor-status) supervisor_status ;;
    supervise) supervise ;;
    launched) launched ;;
    run)
        [ "$OWNER" = root ] || settle
        (watch_trial $$ &)
        run
        ;;
    prepare)
        write_hardware
        settle
        ;;
    unregister) unregister by_hand ;;
    reap)
        if [ "${EXIT_STATUS:-}" = "$REMOVE_ME" ]; then
            quiet=yes
            remove by_agent
        fi
        ;;
    uninstall) uninstall "$@" ;;
    *)
        echo "usage: $DIR/init-script start|stop|restart|status|disable|enable" >&2
        return 2
        ;;
    esac
}

main "$@"
exit $?
