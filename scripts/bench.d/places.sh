# shellcheck shell=bash
# Part of scripts/bench: what a change takes of the machine it runs on, far from
# the server, and of the replicas.

# cost: CPU and memory of the tool itself.
cost() {
    new_server "$pool"
    fill cost "$cost_rows"
    title "cost: the tool itself, $(thousands "$cost_rows") rows"
    header "" "seconds" "CPU, s" "of one core" "target" "met" "peak MiB" "target" "met"
    settle
    run_tableshift cost-idle cost
    cost_line idle "$run_ms" "$run_cpu_ms"
    drop_leftovers cost
    settle
    start_load cost cost
    run_tableshift cost-loaded cost
    stop_load
    cost_line "under $load_connections connections of updates" "$run_ms" "$run_cpu_ms"
    drop_leftovers cost
    drain cost-backlog cost "$cost_rows"
    cost_line "draining $(thousands "$cost_rows") dirty keys" "$drain_ms" "$drain_cpu_ms"
}

cost_line() {
    local share memory cpu_target cpu_met
    share=$(ratio "$3" "$2" 3)
    memory=$(ratio "$run_rss_kb" 1024 1)
    judge "CPU of the tool, share of one core, $1" "$share" most 0.03
    cpu_target=$target cpu_met=$met
    judge "peak memory of the tool, MiB, $1" "$memory" most 64
    cells "$1" "$(seconds "$2")" "$(seconds "$3" 2)" "$share" "$cpu_target" "$cpu_met" "$memory" "$target" "$met"
}

# link: the same, with a server far away.
link() {
    local local_ms local_copied local_drain far_ms far_copied trip
    new_server "$pool"
    fill link "$link_rows"
    settle
    run_tableshift link-local link
    local_ms=$run_ms local_copied=$copied_ms
    drop_leftovers link
    drain link-local-drain link "$link_rows"
    local_drain=$drain_ms
    drop_leftovers link
    start_link
    trip=$(ratio $(($(selects_ms 300) - $(selects_ms 100))) 200 1)
    settle
    run_tableshift link-far link
    far_ms=$run_ms far_copied=$copied_ms
    drop_leftovers link
    drain link-far-drain link "$link_rows"
    stop_link
    title "link: $(thousands "$link_rows") rows, round trips of $trip ms"
    header "" "local, s" "far, s" "ratio" "target" "met"
    link_line "whole run" "$local_ms" "$far_ms"
    link_line "copy alone" "$local_copied" "$far_copied"
    link_line "draining as many dirty keys" "$local_drain" "$drain_ms"
}

link_line() {
    judge "$1 over the link against local" "$(ratio "$3" "$2")" most 1.3
    cells "$1" "$(seconds "$2" 2)" "$(seconds "$3" 2)" "$(ratio "$3" "$2")" "$target" "$met"
}

# Milliseconds of so many statements, one after another, the way that the tool goes.
selects_ms() {
    local begin count
    begin=$(now_ms)
    for ((count = 0; count < $1; count++)); do printf 'SELECT 1;\n'; done |
        sql --protocol=TCP --host="$HOST" --port="$tool_port" --user=tableshift --password=tableshift \
            >/dev/null 2>>"$logs/link.log"
    printf '%s\n' $(($(now_ms) - begin))
}

# The tool goes through it from now on.
start_link() {
    target/release/examples/link --to "$HOST:$PORT" --delay-us "$link_delay_us" >"$folder/link" 2>"$logs/link.log" &
    link_pid=$!
    until [[ -s $folder/link ]]; do nap 0.05; done
    tool_port=$(sed -n 's/^port=//p' "$folder/link")
}

stop_link() {
    kill "$link_pid"
    wait "$link_pid" 2>/dev/null || true
    link_pid='' tool_port=$PORT
}

# replica: how far it is behind when the copy ends, by connections that copy.
replica() {
    local one_rate one_behind nice
    new_server "$pool"
    scripts/mysql start "$folder/replica" --replica-of "$folder/server" --with-parent $$ \
        -- "--innodb-buffer-pool-size=$pool" >/dev/null
    fill_logged=1 fill replicated "$replica_rows"
    title "replica: $(thousands "$replica_rows") rows, seconds behind at the end of the copy"
    header "" "copy, s" "rows a second" "behind, s" "target" "met"
    replica_run one --copy-workers 1
    one_rate=$replica_rate one_behind=$behind_ms
    unjudged
    replica_line "one connection"
    replica_run two --copy-workers 2
    replica_line "two connections"
    nice=$(awk -v fast="$replica_rate" -v slow="$one_rate" 'BEGIN { printf "%.2f", (fast > slow) ? fast / slow - 1 : 0 }')
    replica_run equal --copy-workers 2 --nice-ratio "$nice"
    judge "seconds behind with two connections at the speed of one, more than with one" \
        "$(awk -v two="$behind_ms" -v one="$one_behind" 'BEGIN { printf "%.1f", (two > one) ? (two - one) / 1000 : 0 }')" most 0.5
    replica_line "two connections, --nice-ratio $nice"
    scripts/mysql clean "$folder/replica"
}

replica_line() {
    cells "$1" "$(seconds "$copied_ms")" "$(thousands "$replica_rate")" "$(seconds "$behind_ms" 2)" "$target" "$met"
}

# Sets behind_ms, replica_rate, and what run_tableshift sets.
replica_run() {
    local name=$1
    shift
    wait_for_replica >/dev/null
    settle
    settle "$folder/replica"
    start_tableshift "replica-$name" replicated "$@"
    until [[ -n $(said_at "copy complete") ]]; do
        look_at_run || fail "$run_name ended too early, see $run_log"
        nap 0.02
    done
    behind_ms=$(wait_for_replica)
    finish_run
    must_succeed
    copied_ms=$(milliseconds "$(said "copy complete")")
    replica_rate=$(ratio "$((replica_rows * 1000))" "$copied_ms" 0)
    drop_leftovers replicated
}

# Prints the milliseconds until the replica has what the primary has now.
wait_for_replica() {
    local executed begin answer
    begin=$(now_ms)
    executed=$(sql -e "SELECT @@GLOBAL.gtid_executed")
    answer=$(scripts/mysql client "$folder/replica" --batch --skip-column-names \
        -e "SELECT WAIT_FOR_EXECUTED_GTID_SET('${executed//\\n/}', 600)")
    [[ $answer == 0 ]] || fail "the replica did not catch up within 600 s"
    printf '%s\n' $(($(now_ms) - begin))
}
