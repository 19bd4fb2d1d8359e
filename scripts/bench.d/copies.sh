# shellcheck shell=bash
# Part of scripts/bench: sections about the copy of a table that nobody writes to.

# idle: the server's own ways, the other tools, and tableshift.
idle() {
    local copy tool name count verification rss
    new_server "$pool"
    fill idle "$rows"
    : >"$folder/samples"
    for ((count = 1; count <= repeat; count++)); do
        say "  round $count of $repeat"
        idle_round "$count"
    done
    copy=$(sampled copy)
    title "idle: $(thousands "$rows") rows with one secondary index, nobody writes"
    header "" "seconds" "rows a second" "against COPY" "target" "met"
    unjudged
    for name in inplace copy raw; do idle_line "$name" "$copy"; done
    for tool in $(others); do idle_line "$tool" "$copy"; done
    judge "whole run against COPY" "$(ratio "$(sampled tableshift)" "$copy")" most 1.0
    idle_line tableshift "$copy"
    judge "copy alone against COPY" "$(ratio "$(sampled copied)" "$copy")" most 0.8
    idle_line copied "$copy"
    unjudged
    idle_line verified "$copy"
    rss=$(sampled rss)
    printf '\nMedians of %s. Peak memory of tableshift: %s MiB.\n' "$(rounds)" "$(ratio "$rss" 1024 1)"
}

rounds() { if ((repeat == 1)); then printf 'one run\n'; else printf '%s runs\n' "$repeat"; fi; }

# Keeps a figure; the median of those of a name.
sample() { printf '%s %s\n' "$1" "$2" >>"$folder/samples"; }
sampled() { awk -v name="$1" '$1 == name { print $2 }' "$folder/samples" | median; }

idle_round() {
    local tool
    settle
    sample inplace "$(time_sql "ALTER TABLE idle ENGINE=InnoDB, ALGORITHM=INPLACE")"
    settle
    sample copy "$(time_sql "ALTER TABLE idle ENGINE=InnoDB, ALGORITHM=COPY")"
    sql bench -e "CREATE TABLE raw LIKE idle"
    settle
    say "    INSERT … SELECT … FOR SHARE, two connections"
    sample raw "$(parallel_copy idle raw "$rows")"
    sql bench -e "DROP TABLE raw"
    for tool in $(others); do
        settle
        run_other "$tool" "idle-$tool-$1" idle
        if ((run_status == 0)); then sample "$tool" "$run_ms"; fi
        drop_leftovers idle
    done
    settle
    run_tableshift "idle-tableshift-$1" idle
    sample tableshift "$run_ms"
    sample copied "$copied_ms"
    sample verified "$verified_ms"
    sample rss "$run_rss_kb"
    drop_leftovers idle
}

idle_line() {
    local name=$1 ms
    ms=$(sampled "$name")
    case $name in
        inplace) name="ALTER, INPLACE" ;;
        copy) name="ALTER, COPY (blocks writes)" ;;
        raw) name="INSERT … SELECT … FOR SHARE, two connections" ;;
        tableshift) name="**tableshift**, all of it" ;;
        copied) name="its copy" ;;
        verified) name="its verification" ;;
    esac
    cells "$name" "$(seconds "$ms")" "$(thousands "$(ratio "$((rows * 1000))" "$ms" 0)")" \
        "$(ratio "$ms" "$2")" "$target" "$met"
}

# indexes: six of them, and a table larger than the buffer pool.
indexes() {
    local copy size
    new_server "$small_pool"
    fill indexed "$indexed_rows"
    sql bench -e "SET SESSION sql_log_bin = 0; ALTER TABLE indexed ADD KEY k_2 (c), ADD KEY k_3 (pad),
        ADD KEY k_4 (k, pad), ADD KEY k_5 (pad, k), ADD KEY k_6 (c, k)"
    settle
    copy=$(time_sql "ALTER TABLE indexed ENGINE=InnoDB, ALGORITHM=COPY")
    size=$(table_bytes indexed)
    settle
    run_tableshift indexes-tableshift indexed
    title "indexes: $(thousands "$indexed_rows") rows with six secondary indexes, buffer pool $small_pool"
    header "" "seconds" "against COPY" "target" "met"
    cells "ALTER, COPY (blocks writes)" "$(seconds "$copy")" 1.00 "" ""
    judge "whole run against COPY" "$(ratio "$run_ms" "$copy")" most 0.7
    cells "**tableshift**, all of it" "$(seconds "$run_ms")" "$(ratio "$run_ms" "$copy")" "$target" "$met"
    cells "its copy" "$(seconds "$copied_ms")" "$(ratio "$copied_ms" "$copy")" "" ""
    cells "its verification" "$(seconds "$verified_ms")" "$(ratio "$verified_ms" "$copy")" "" ""
    printf '\nThe table has %s MiB with its indexes.\n' "$(ratio "$size" 1048576 0)"
}

# Bytes of a table and its indexes.
table_bytes() {
    sql -e "ANALYZE TABLE bench.$1" >/dev/null
    sql -e "SET SESSION information_schema_stats_expiry = 0;
        SELECT data_length + index_length FROM information_schema.tables
        WHERE table_schema = 'bench' AND table_name = '$1'"
}

# Digits in groups of three.
thousands() {
    awk -v number="$1" 'BEGIN {
        if (number !~ /^[0-9]+$/) { print number; exit }
        while (length(number) > 3) {
            text = " " substr(number, length(number) - 2) text
            number = substr(number, 1, length(number) - 3)
        }
        print number text }'
}
