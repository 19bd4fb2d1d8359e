# shellcheck shell=bash
# Part of scripts/bench: the server, its tables, and the writers.

sql() { scripts/mysql client "$folder/server" --batch --skip-column-names "$@"; }

# A new server for a section, with a buffer pool of $1. Everything else is as
# MySQL has it, so every commit is synced to disk.
new_server() {
    scripts/mysql clean "$folder/server"
    scripts/mysql start "$folder/server" --with-parent $$ -- "--innodb-buffer-pool-size=$1" >/dev/null
    # shellcheck source=/dev/null # four assignments, HOST and PORT among them
    source "$folder/server/env"
    sql -e "CREATE DATABASE bench"
    tool_port=$PORT
    $headed || heading
    headed=true
}

# Dirty pages of what went before are written, so that the next one doesn't pay
# for them; on the server, or on that in folder $1.
settle() {
    local dirty tries=0 server=${1:-$folder/server}
    scripts/mysql client "$server" -e "SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0, GLOBAL innodb_max_dirty_pages_pct = 0"
    until ((tries++ > 300)); do
        dirty=$(scripts/mysql client "$server" --batch --skip-column-names -e "SELECT variable_value FROM performance_schema.global_status
            WHERE variable_name = 'Innodb_buffer_pool_pages_dirty'")
        ((dirty > 200)) || break
        nap 0.2
    done
    scripts/mysql client "$server" -e "SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT, GLOBAL innodb_max_dirty_pages_pct_lwm = DEFAULT"
}

# Runs SQL on database bench; prints how many milliseconds it took.
time_sql() {
    local begin
    say "    $1"
    begin=$(now_ms)
    sql bench -e "$1" >/dev/null
    printf '%s\n' $(($(now_ms) - begin))
}

# --- the tables ----------------------------------------------------------------

# Random-looking, the same in every run; sysbench has eleven and five groups of
# eleven digits there, so many bytes here, too.
random_k="CRC32(n) % 1000000 + 1"
random_c="CONCAT(CRC32(n * 5), '-', CONV(LEFT(SHA2(n, 512), 15), 16, 10), '-', LEFT(SHA2(n + 1, 512), 88))"
random_pad="LEFT(SHA2(n * 3, 256), 59)"

# Runs $1, which has FROM at its end, for n of 1..$2, by two connections. Without
# the binary log, which it would only make long; unless a replica needs it.
insert_numbered() {
    local statement=$1 wanted=$2 from to worker pids=() logged=${fill_logged:-0}
    for worker in 0 1; do
        for ((from = 1 + worker * 50000; from <= wanted; from += 100000)); do
            to=$((from + 49999 < wanted ? from + 49999 : wanted))
            printf '%s;\n' "${statement//FROM/FROM (WITH RECURSIVE numbers (n) AS (SELECT $from UNION ALL
                SELECT n + 1 FROM numbers WHERE n < $to) SELECT n FROM numbers) AS numbers}"
        done | sql --init-command="SET SESSION sql_log_bin = $logged, cte_max_recursion_depth = 100000" bench &
        pids+=($!)
    done
    wait "${pids[0]}" && wait "${pids[1]}" || fail "the table could not be filled"
}

# fill TABLE ROWS: the columns and sizes of sysbench's sbtest1, and its secondary
# index. Ids are explicit: there are no holes.
fill() {
    local table=$1 wanted=$2
    say "  filling bench.$table with $wanted rows"
    sql bench -e "CREATE TABLE $table (
        id INT NOT NULL AUTO_INCREMENT,
        k INT NOT NULL DEFAULT 0,
        c CHAR(120) NOT NULL DEFAULT '',
        pad CHAR(60) NOT NULL DEFAULT '',
        PRIMARY KEY (id),
        KEY k_1 (k))"
    insert_numbered "INSERT INTO $table (id, k, c, pad) SELECT n, $random_k, $random_c, $random_pad FROM" "$wanted"
    sql bench -e "ANALYZE TABLE $table" >/dev/null
}

# Drops what tools have left of their work on a table.
drop_leftovers() {
    local table
    for table in "_$1_del" "_$1_gho" "_$1_ghc" "_$1_ghk" "_$1_old" "_$1_new" "_$1_chkpnt"; do
        sql bench -e "DROP TABLE IF EXISTS $table" 2>/dev/null
    done
}

# --- the writers ---------------------------------------------------------------

# start_load NAME TABLE [options]: returns once they write. Sets load_log, and
# load_begin_ms.
start_load() {
    local name=$1 table=$2
    shift 2
    load_log=$logs/$name-writers.log
    rm -f "$folder/stop"
    : >"$load_log"
    target/release/examples/load --host "$HOST" --port "$PORT" --user tableshift --password tableshift \
        --database bench --table "$table" --connections "$load_connections" --mode updates \
        --stop-file "$folder/stop" --report-every-ms "$report_ms" --slow-ms "$slow_ms" "$@" \
        >"$load_log" 2>"$load_log.errors" &
    load_pid=$!
    until grep -q '^report' "$load_log"; do
        kill -0 "$load_pid" 2>/dev/null || fail "the writers ended: $(<"$load_log.errors")"
        nap 0.1
    done
    load_begin_ms=$(now_ms)
}

# Sets deadlocks, lock_waits, write_errors.
stop_load() {
    local status=0
    touch "$folder/stop"
    wait "$load_pid" || status=$?
    load_pid=''
    ((status == 0)) || fail "the writers failed: $(<"$load_log.errors")"
    deadlocks=$(sed -n 's/^deadlocks=//p' "$load_log")
    lock_waits=$(sed -n 's/^lock_waits=//p' "$load_log")
    write_errors=$(sed -n 's/^errors=//p' "$load_log")
}
