# shellcheck shell=bash
# Part of scripts/bench: sections in which applications write all the time.

# loaded: every tool under the same writers, at each size. Sets loaded_first_ms
# to the time at the first size.
loaded() {
    local size first='' seconds_first=''
    for size in $loaded_sizes; do
        loaded_at "$size"
        if [[ -z $first ]]; then
            first=$size seconds_first=$tableshift_ms
        else
            judge "time for $(thousands "$size") rows, against that for $(thousands "$first") in proportion" \
                "$(awk -v a="$tableshift_ms" -v b="$seconds_first" -v n="$size" -v m="$first" \
                    'BEGIN { printf "%.2f", (a / n) / (b / m) }')" most 1.1
            printf '\nTime in proportion to that for %s rows: %s (target %s, met: %s).\n' \
                "$(thousands "$first")" "$(ratio "$((tableshift_ms * first))" "$((seconds_first * size))")" "$target" "$met"
        fi
    done
}

loaded_at() {
    local size=$1 tool
    new_server "$pool"
    : >"$folder/lines"
    fill loaded "$size"
    under_load tableshift "loaded-$size-tableshift"
    tableshift_ms=$run_ms
    plot "loaded-$size-tableshift" "$size"
    for tool in $(others); do under_load "$tool" "loaded-$size-$tool"; done
    title "loaded: $(thousands "$size") rows, $load_connections connections of unlimited single-row updates"
    header "" "seconds" "writes/s before" "during" "kept" "kept in ${window_s} s" \
        "p50 ms before" "during" "p99 ms before" "during" "longest ms before" "during" "deadlocks" "lock waits"
    cat "$folder/lines"
    printf '\nPlot of the run of tableshift: %s.\n' "$logs/loaded-$size-tableshift.svg"
    loaded_targets "$size"
}

# A picture of the run of this name.
plot() {
    target/release/examples/plot --writers "$logs/$1-writers.log" --progress "$logs/$1-progress.log" \
        --run "$logs/$1.log" >"$logs/$1.svg" \
        --title "$(thousands "$2") rows, $load_connections connections of unlimited single-row updates" ||
        say "    no plot: $logs/$1.svg"
}

# One tool under load; its line goes to $folder/lines, its figures into loaded_*.
under_load() {
    local tool=$1 name=$2 before before_p50 before_p99 before_longest kept kept_window
    settle
    start_load "$name" loaded
    nap "$before_s"
    if [[ $tool == tableshift ]]; then
        control_port=$free_port
        start_tableshift "$name" loaded --serve-tcp-port "$control_port"
        finish_run
        must_succeed
    else
        run_other "$tool" "$name" loaded
    fi
    nap_until $((run_begin_ms + window_s * 1000 + 2 * report_ms))
    stop_load
    writers "$load_log" "$load_begin_ms-$run_begin_ms"
    before=$writes_per_s before_p50=$p50_ms before_p99=$p99_ms before_longest=$longest_ms
    writers "$load_log" "$run_begin_ms-$((run_begin_ms + window_s * 1000))"
    kept_window=$(ratio "$writes_per_s" "$before")
    writers "$load_log" "$run_begin_ms-$run_end_ms"
    kept=$(ratio "$writes_per_s" "$before")
    cells "$([[ $tool == tableshift ]] && echo '**tableshift**' || echo "$tool")" "$(run_seconds)" \
        "$before" "$writes_per_s" "$kept" "$kept_window" "$before_p50" "$p50_ms" "$before_p99" "$p99_ms" \
        "$before_longest" "$longest_ms" "$deadlocks" "$lock_waits" >>"$folder/lines"
    loaded_kept[$tool]=$kept loaded_kept_window[$tool]=$kept_window loaded_errors[$tool]=$write_errors
    loaded_p99[$tool]=$(ratio "$p99_ms" "$before_p99")
    drop_leftovers loaded
}

# The targets that can be judged by these figures.
loaded_targets() {
    local size=$1 pt=pt-online-schema-change
    printf '\n'
    header "" "measured" "target" "met"
    if ((size <= 300000)); then
        judge "seconds for $(thousands "$size") rows" "$(seconds "$tableshift_ms")" most 5
        cells "seconds to finish" "$(seconds "$tableshift_ms")" "$target" "$met"
    fi
    if [[ -n ${loaded_kept[$pt]:-} ]]; then
        loaded_against_pt "$size" "throughput kept during the run, against $pt" \
            "$(ratio "${loaded_kept[tableshift]}" "${loaded_kept[$pt]}")"
        loaded_against_pt "$size" "throughput kept in $window_s s from the start, against $pt" \
            "$(ratio "${loaded_kept_window[tableshift]}" "${loaded_kept_window[$pt]}")"
    fi
    judge "p99 during the run against before, $(thousands "$size") rows" "${loaded_p99[tableshift]}" most 2
    cells "p99 during the run against before" "${loaded_p99[tableshift]}" "$target" "$met"
    judge "errors at the writers, $(thousands "$size") rows" "${loaded_errors[tableshift]}" most 0
    cells "errors at the writers" "${loaded_errors[tableshift]}" "$target" "$met"
}

loaded_against_pt() {
    judge "$2, $(thousands "$1") rows" "$3" least 1.0
    cells "$2" "$3" "$target" "$met"
}

nap_until() {
    local left=$(($1 - $(now_ms)))
    ((left <= 0)) || nap "$(ratio "$left" 1000 3)"
}

# hot: unlimited updates of a few rows, next to the same updates of another table.
hot() {
    local idle_ms elsewhere_ms hot_ms kept
    new_server "$pool"
    fill hot "$hot_table_rows"
    fill elsewhere "$hot_rows"
    settle
    run_tableshift hot-idle hot
    idle_ms=$run_ms
    drop_leftovers hot
    hot_run elsewhere
    elsewhere_ms=$run_ms
    hot_run hot
    hot_ms=$run_ms
    title "hot: updates of only $(thousands "$hot_rows") of $(thousands "$hot_table_rows") rows"
    header "" "seconds" "against idle" "against another table" "target" "met"
    cells "idle" "$(seconds "$idle_ms")" 1.00 "" "" ""
    cells "the same writers on another table" "$(seconds "$elsewhere_ms")" "$(ratio "$elsewhere_ms" "$idle_ms")" 1.00 "" ""
    kept=$(ratio "$hot_ms" "$elsewhere_ms")
    judge "time under updates of $(thousands "$hot_rows") hot rows, against the same on another table" "$kept" most 1.1
    cells "the writers on the hot rows" "$(seconds "$hot_ms")" "$(ratio "$hot_ms" "$idle_ms")" "$kept" "$target" "$met"
    printf '\nErrors at the writers: %s.\n' "$write_errors"
}

# tableshift on table hot while the writers update so many rows of table $1.
hot_run() {
    settle
    start_load "hot-$1" "$1" --hot-rows "$hot_rows"
    run_tableshift "hot-$1-tableshift" hot
    stop_load
    drop_leftovers hot
}

# stalls: many swaps, and how long a writer waited around each.
stalls() {
    local count before before_p99 before_longest kept middle worst during=() swapped
    new_server "$pool"
    fill stalls "$stall_rows"
    : >"$folder/stalls"
    : >"$folder/locked"
    start_load stalls stalls
    nap "$before_s"
    for ((count = 1; count <= runs; count++)); do
        run_tableshift "stalls-$count" stalls
        ((count > 1)) || first_ms=$run_begin_ms
        during+=("$run_begin_ms-$(said_at "copy complete")")
        stall_of_swap
        drop_leftovers stalls
    done
    nap_until $((run_end_ms + 5 * report_ms))
    stop_load
    while read -r from to; do stall "$load_log" "$from" "$to"; done <"$folder/swaps" >"$folder/stalls"
    writers "$load_log" "$load_begin_ms-$first_ms"
    before=$writes_per_s before_p99=$p99_ms before_longest=$longest_ms
    writers "$load_log" "${during[@]}"
    middle=$(median <"$folder/stalls") worst=$(largest <"$folder/stalls")
    swapped=$(median <"$folder/locked")
    title "stalls: $runs swaps of a table of $(thousands "$stall_rows") rows, $load_connections connections of unlimited updates"
    header "" "measured" "target" "met"
    judge "writers' longest stall at a swap, median of $runs, ms" "$middle" most 50
    cells "longest stall of a writer at the swap, median, ms" "$middle" "$target" "$met"
    judge "writers' longest stall at a swap, worst of $runs, ms" "$worst" most 150
    cells "worst, ms" "$worst" "$target" "$met"
    cells "tables locked, by the tool, median, ms" "$swapped" "" ""
    cells "longest stall in the ${before_s} s before, ms" "$before_longest" "" ""
    judge "p99 of the writers during the copies against before" "$(ratio "$p99_ms" "$before_p99")" most 2
    cells "p99 during the copies against before, $p99_ms ms and $before_p99 ms" "$(ratio "$p99_ms" "$before_p99")" "$target" "$met"
    kept=$(ratio "$writes_per_s" "$before")
    cells "throughput kept during the copies" "$kept" "" ""
    judge "errors at the writers in $runs runs" "$write_errors" most 0
    cells "errors at the writers ($deadlocks deadlocks, $lock_waits lock waits)" "$write_errors" "$target" "$met"
}

# Keeps the stretch in which the last run asked for the lock, had it and let it
# go, with 20 ms on both sides, as lines are stamped a little late.
stall_of_swap() {
    local at locked waited
    at=$(said_at "swapped locked_ms=")
    locked=$(sed -n 's/.*swapped locked_ms=\([0-9]*\).*/\1/p' "$run_log")
    waited=$(sed -n 's/.*lock_wait_ms=\([0-9]*\).*/\1/p' "$run_log")
    printf '%s\n' "$locked" >>"$folder/locked"
    printf '%s %s\n' $((at - locked - waited - 20)) $((at + 20)) >>"$folder/swaps"
}
