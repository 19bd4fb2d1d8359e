# shellcheck shell=bash
# Part of scripts/bench: draining a backlog of dirty keys.

backlog() {
    local raw alone updated rate raw_rate
    new_server "$pool"
    fill backlog "$backlog_rows"
    sql bench -e "CREATE TABLE raw LIKE backlog"
    settle
    say "    INSERT … SELECT … FOR SHARE, two connections"
    raw=$(parallel_copy backlog raw "$backlog_rows")
    raw_rate=$(ratio "$((backlog_rows * 1000))" "$raw" 0)
    settle
    say "    UPDATE of the same rows, two connections"
    updated=$(parallel_update raw "$backlog_rows")
    sql bench -e "TRUNCATE TABLE raw"
    settle
    say "    INSERT … SELECT … FOR SHARE, one connection"
    alone=$(now_ms)
    copies_of 0 10000 backlog raw "$backlog_rows" | sql bench
    alone=$(($(now_ms) - alone))
    sql bench -e "DROP TABLE raw"
    drain backlog-tableshift backlog "$backlog_rows"
    rate=$(ratio "$((drained_keys * 1000))" "$drain_ms" 0)
    title "backlog: $(thousands "$backlog_rows") dirty keys, made while throttled"
    header "" "seconds" "a second" "against raw" "target" "met"
    cells "INSERT … SELECT … FOR SHARE, two connections, rows" "$(seconds "$raw")" "$(thousands "$raw_rate")" 1.00 "" ""
    cells "… one connection" "$(seconds "$alone")" "$(thousands "$(ratio "$((backlog_rows * 1000))" "$alone" 0)")" \
        "$(ratio "$raw" "$alone")" "" ""
    cells "UPDATE … SET k = k + 1, two connections" "$(seconds "$updated")" \
        "$(thousands "$(ratio "$((backlog_rows * 1000))" "$updated" 0)")" "$(ratio "$raw" "$updated")" "" ""
    judge "keys a second of the drain, against rows a second of a raw INSERT … SELECT" "$(ratio "$rate" "$raw_rate")" least 0.5
    cells "**tableshift**, keys of the backlog" "$(seconds "$drain_ms")" "$(thousands "$rate")" \
        "$(ratio "$rate" "$raw_rate")" "$target" "$met"
    printf '\nMost keys in memory at once: %s. Peak memory: %s MiB. CPU of the tool while draining: %s of a core.\n' \
        "$(thousands "$most_backlog")" "$(ratio "$run_rss_kb" 1024 1)" "$(ratio "$drain_cpu_ms" "$drain_ms" 3)"
}

# drain NAME TABLE KEYS: copies the table, holds the cut-over back, pauses the
# tool while so many rows are updated, and lets it go on. Sets drain_ms,
# drained_keys, most_backlog, drain_cpu_ms, and what run_tableshift sets.
drain() {
    local name=$1 table=$2 keys=$3 before cpu
    touch "$folder/postpone"
    rm -f "$folder/throttle"
    settle
    control_port=$free_port
    start_tableshift "$name" "$table" --serve-tcp-port "$control_port" \
        --postpone-cut-over-flag-file "$folder/postpone" --throttle-flag-file "$folder/throttle"
    wait_for_state "postponing cut-over"
    touch "$folder/throttle"
    wait_for_state "throttled"
    ask_progress || fail "the tool doesn't answer"
    before=$applied
    update_all "$table" "$keys"
    wait_for_stream
    settle
    most_backlog=$backlog
    drain_begin_ms=$(now_ms)
    cpu=$(cpu_so_far)
    rm "$folder/throttle"
    wait_for_drain $((before + keys))
    drain_cpu_ms=$(($(cpu_so_far) - cpu))
    drain_ms=$((drain_end_ms - drain_begin_ms))
    drained_keys=$((applied - before))
    rm "$folder/postpone"
    finish_run
    must_succeed
    copied_ms=$(milliseconds "$(said "copy complete")")
}

# Milliseconds of CPU that the running tool has used.
cpu_so_far() {
    local fields ticks
    read -ra fields <"/proc/$tool_pid/stat"
    ticks=$((fields[13] + fields[14]))
    printf '%s\n' $((ticks * 1000 / $(getconf CLK_TCK)))
}

# The tool's line of progress says so, within tool_limit_s.
wait_for_state() {
    local end=$((SECONDS + tool_limit_s))
    say "    until it is $1"
    until ask_progress && [[ $progress == *"State: $1"* ]]; do
        look_at_run || fail "$run_name ended too early, see $run_log"
        ((SECONDS < end)) || fail "$run_name is not $1 after $tool_limit_s s: $progress"
        nap 0.1
    done
}

# Updates rows 1 to $2 once each, in transactions of 10,000.
update_all() {
    local low
    say "    UPDATE of $2 rows"
    for ((low = 1; low <= $2; low += 10000)); do
        printf 'UPDATE %s SET k = k + 1 WHERE id BETWEEN %s AND %s;\n' "$1" "$low" $((low + 9999))
    done | sql bench
}

# Until it has read all it can: its backlog has been the same for two seconds.
wait_for_stream() {
    local last=-1 same=0
    until ((same >= 10)); do
        look_at_run || fail "$run_name ended too early, see $run_log"
        ask_progress || true
        if ((backlog == last)); then same=$((same + 1)); else same=0; fi
        last=$backlog
        nap 0.2
    done
}

# wait_for_drain APPLIED: until so many are applied and few are left.
wait_for_drain() {
    until ask_progress && ((applied >= $1 && backlog <= 100)); do
        look_at_run || fail "$run_name ended too early, see $run_log"
        if ((backlog > most_backlog)); then most_backlog=$backlog; fi
        nap 0.1
    done
    drain_end_ms=$(now_ms)
}
