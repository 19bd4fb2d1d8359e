# shellcheck shell=bash
# Part of scripts/bench: running tableshift, the other tools, and the server's
# own ways, all measured alike.

# Puts the milliseconds since 1970 in front of every line.
stamp() {
    local line
    while IFS= read -r line; do
        printf '%s %s\n' $((${EPOCHREALTIME/[.,]/} / 1000)) "$line"
    done
}

# start_run NAME COMMAND...: starts it; its output, stamped, goes to run_log.
start_run() {
    run_name=$1 run_log=$logs/$1.log
    shift
    rm -f "$folder/pipe" "$folder/pid" "$folder/times" "$logs/$run_name-progress.log"
    mkfifo "$folder/pipe"
    stamp <"$folder/pipe" >"$run_log" &
    stamp_pid=$!
    run_begin_ms=$(now_ms)
    (
        TIMEFORMAT='%R %U %S' status=0
        # shellcheck disable=SC2016 # expanded by the inner shell
        time bash -c 'printf "%s\n" $$ >"$0"; exec "$@"' "$folder/pid" "$@" >"$folder/pipe" 2>&1 || status=$?
        exit "$status"
    ) 2>"$folder/times" &
    run_pid=$!
    until [[ -s $folder/pid ]]; do nap 0.005; done
    tool_pid=$(<"$folder/pid")
    run_rss_kb=0
}

# Looks at the running tool once: its peak memory, which the kernel keeps, and
# ends it if it takes too long. False once it is gone.
look_at_run() {
    local key value _
    kill -0 "$run_pid" 2>/dev/null || return 1
    while read -r key value _; do
        [[ $key != VmHWM: ]] || run_rss_kb=$value
    done 2>/dev/null <"/proc/$tool_pid/status" || true
    if ((${EPOCHREALTIME/[.,]/} / 1000 - run_begin_ms > tool_limit_s * 1000)); then
        kill -TERM "$tool_pid" 2>/dev/null || true
    fi
}

# Waits for the end. Sets run_ms, run_cpu_ms, run_rss_kb, run_status, run_end_ms.
# shellcheck disable=SC2034 # the sections read them
finish_run() {
    while look_at_run; do
        sample_backlog
        nap 0.1
    done
    run_status=0
    wait "$run_pid" || run_status=$?
    wait "$stamp_pid"
    read -r run_ms run_cpu_ms < <(awk 'NF == 3 { printf "%d %d\n", $1 * 1000, ($2 + $3) * 1000 }' "$folder/times")
    run_end_ms=$((run_begin_ms + run_ms))
    run_pid='' tool_pid='' stamp_pid='' control_port=''
}

# Ends the benchmark if the last run failed.
must_succeed() {
    if ((run_status != 0)); then
        tail -n 30 "$run_log" >&2
        fail "$run_name ended with status $run_status, see $run_log"
    fi
}

# The time of a run as text: seconds, or why there are none.
run_seconds() {
    if ((run_status == 0)); then
        seconds "$run_ms"
    elif ((run_ms >= tool_limit_s * 1000)); then
        printf '> %s\n' "$tool_limit_s"
    else
        printf 'failed\n'
    fi
}

# --- tableshift ----------------------------------------------------------------

# start_tableshift NAME TABLE [options]
start_tableshift() {
    local name=$1 table=$2
    shift 2
    say "    tableshift on bench.$table ${*}"
    start_run "$name" target/release/tableshift --host "$HOST" --port "$tool_port" \
        --user tableshift --password tableshift --database bench --table "$table" \
        --alter "ENGINE=InnoDB" --execute "$@"
}

run_tableshift() {
    start_tableshift "$@"
    finish_run
    must_succeed
    copied_ms=$(milliseconds "$(said "copy complete")")
    # shellcheck disable=SC2034
    verified_ms=$(milliseconds "$(said "\(verified\|compared\)")")
}

# Seconds on the tool's line that contains $1, or a dash if it has no such line.
said() {
    local found
    found=$(sed -n "/ $1 /s/.*[ =]seconds=\([0-9.]*\).*/\1/p" "$run_log" | tail -n 1)
    printf '%s\n' "${found:--}"
}

# The stamp of the first line that contains $1.
said_at() { awk -v what="$1" 'index($0, what) { print $1; exit }' "$run_log"; }

# Asks the tool for its line of progress, on control_port, and keeps its numbers.
# Sets progress, copied, applied, backlog; false if it doesn't answer.
# shellcheck disable=SC2034 # the sections read progress
ask_progress() {
    local connection
    progress=''
    { exec {connection}<>"/dev/tcp/127.0.0.1/$control_port"; } 2>/dev/null || return 1
    printf 'sup\n' >&"$connection"
    IFS= read -rt 2 -u "$connection" progress || true
    exec {connection}>&-
    [[ $progress =~ Copy:\ ([0-9]+)/.*Applied:\ ([0-9]+)\;\ Backlog:\ ([0-9]+)/ ]] || return 1
    copied=${BASH_REMATCH[1]} applied=${BASH_REMATCH[2]} backlog=${BASH_REMATCH[3]}
    printf 'progress at_ms=%s copied=%s applied=%s backlog=%s\n' \
        $((${EPOCHREALTIME/[.,]/} / 1000)) "$copied" "$applied" "$backlog" >>"$logs/$run_name-progress.log"
}

sample_backlog() { [[ -z $control_port ]] || ask_progress || true; }

# --- the other tools, if they are there ------------------------------------------

others() {
    local tool
    for tool in $other_tools; do
        if command -v "$tool" >/dev/null; then printf '%s\n' "$tool"; fi
    done
}

# run_other TOOL NAME TABLE; it may fail, and is ended after tool_limit_s.
run_other() {
    local tool=$1 name=$2 table=$3
    say "    $tool on bench.$table"
    case $tool in
        pt-online-schema-change)
            start_run "$name" pt-online-schema-change --alter "ENGINE=InnoDB" --execute --recursion-method none \
                --no-check-replication-filters --no-version-check \
                "h=localhost,S=$SOCKET,u=tableshift,p=tableshift,D=bench,t=$table"
            ;;
        gh-ost)
            start_run "$name" gh-ost --host "$HOST" --port "$PORT" --user tableshift --password tableshift \
                --database bench --table "$table" --alter "ENGINE=InnoDB" --allow-on-master --execute
            ;;
        spirit)
            start_run "$name" spirit migrate --host "$HOST:$PORT" --username tableshift --password tableshift \
                --database bench --statement "ALTER TABLE $table ENGINE=InnoDB"
            ;;
    esac
    finish_run
    if ((run_status != 0)); then say "    it ended with status $run_status, see $run_log"; fi
}

# --- the server's own ways -------------------------------------------------------

# parallel_copy FROM TO ROWS: what two connections can do that copy ranges of
# 10,000 ids each, one after another; prints milliseconds.
parallel_copy() {
    local from=$1 to=$2 rows=$3 worker begin pids=()
    begin=$(now_ms)
    for worker in 0 1; do
        copies_of $((worker * 10000)) 20000 "$from" "$to" "$rows" | sql bench &
        pids+=($!)
    done
    wait "${pids[0]}" && wait "${pids[1]}" || fail "the raw copy failed"
    printf '%s\n' $(($(now_ms) - begin))
}

# copies_of BEHIND STEP FROM TO ROWS: statements that copy 10,000 ids of every STEP.
copies_of() {
    local low
    for ((low = 1 + $1; low <= $5; low += $2)); do
        printf 'INSERT INTO %s SELECT * FROM %s WHERE id BETWEEN %s AND %s FOR SHARE;\n' \
            "$4" "$3" "$low" $((low + 9999))
    done
}

# parallel_update TABLE ROWS: the least that a change of each of these rows and of
# its index costs, by two connections; prints milliseconds.
parallel_update() {
    local table=$1 rows=$2 worker low begin pids=()
    begin=$(now_ms)
    for worker in 0 1; do
        for ((low = 1 + worker * 1000; low <= rows; low += 2000)); do
            printf 'UPDATE %s SET k = k + 1 WHERE id BETWEEN %s AND %s;\n' "$table" "$low" $((low + 999))
        done | sql bench &
        pids+=($!)
    done
    wait "${pids[0]}" && wait "${pids[1]}" || fail "the updates failed"
    printf '%s\n' $(($(now_ms) - begin))
}
