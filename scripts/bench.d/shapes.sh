# shellcheck shell=bash
# Part of scripts/bench: tables of other shapes, each of about the same size.

# Name, bytes of a row in InnoDB (measured, roughly), columns, and what to insert.
# Id columns rise with n, so that all are filled in the order of their key.
shape() {
    local payload="k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL"
    local filled="$random_k, $random_c, $random_pad"
    case $1 in
        plain)
            shape_row=230 shape_columns="id INT NOT NULL PRIMARY KEY, $payload" shape_values="n, $filled" ;;
        wide)
            shape_row=2350 shape_columns="id INT NOT NULL PRIMARY KEY, c VARCHAR(2048) NOT NULL"
            shape_values="n, REPEAT(SHA2(n, 512), 16)" ;;
        tiny)
            shape_row=35 shape_columns="id INT NOT NULL PRIMARY KEY, k INT NOT NULL, b SMALLINT NOT NULL"
            shape_values="n, $random_k, n % 1000" ;;
        text_key)
            shape_row=260 shape_columns="id VARCHAR(40) NOT NULL PRIMARY KEY, $payload"
            shape_values="CONCAT('customer-', LPAD(n, 12, '0'), '-', LEFT(SHA2(n, 256), 8)), $filled" ;;
        composite_key)
            shape_row=240
            shape_columns="tenant INT NOT NULL, day DATE NOT NULL, seq INT NOT NULL, $payload, PRIMARY KEY (tenant, day, seq)"
            shape_values="n DIV 10000, DATE '2020-01-01' + INTERVAL n DIV 100 % 100 DAY, n % 100, $filled" ;;
        sparse)
            shape_row=240 shape_columns="id BIGINT NOT NULL PRIMARY KEY, $payload"
            shape_values="n * 1000 + CRC32(n) % 1000, $filled" ;;
        skewed)
            # Dense ranges, each twice as long as the one before and eight times as far
            # away; one row in a thousand stands alone between the ranges.
            shape_row=240 shape_columns="id BIGINT NOT NULL PRIMARY KEY, $payload"
            shape_values="CAST(POW(8, FLOOR(LOG2(n))) AS SIGNED) * IF(n % 1000 = 0, 2, 1) + n, $filled" ;;
    esac
}

shapes() {
    local name plain='' plain_copy='' bytes copy copy_rate
    new_server "$pool"
    title "shapes: about $shape_mib MiB each, no secondary index"
    header "" "rows" "MiB" "COPY, s" "tableshift, s" "its copy, s" "its copy, MiB/s" "against plain" \
        "COPY against plain" "its copy against COPY" "target" "met"
    for name in plain wide tiny text_key composite_key sparse skewed; do
        shape_measured "$name"
        copy_rate=$(mib_a_second "$bytes" "$copy")
        [[ -n $plain ]] || plain=$shape_rate plain_copy=$copy_rate
        unjudged
        if [[ $name != plain ]]; then
            judge "bytes a second of the copy, ${name/_/ } against plain" "$(ratio "$shape_rate" "$plain")" least 0.8
        fi
        cells "${name/_/ }" "$(thousands "$shape_rows")" "$(ratio "$bytes" 1048576 0)" "$(seconds "$copy")" \
            "$(seconds "$run_ms")" "$(seconds "$copied_ms" 2)" "$(ratio "$shape_rate" 1 1)" \
            "$(ratio "$shape_rate" "$plain")" "$(ratio "$copy_rate" "$plain_copy")" "$(ratio "$copied_ms" "$copy")" "$target" "$met"
    done
}

mib_a_second() { awk -v bytes="$1" -v ms="$2" 'BEGIN { printf "%.2f\n", bytes / 1048.576 / (ms + 0.001) }'; }

# Fills one, and changes it both ways. Sets bytes, copy, shape_rows, shape_rate
# (MiB a second), and what run_tableshift sets.
shape_measured() {
    local table=shape_$1
    shape "$1"
    shape_rows=$((shape_mib * 1048576 / shape_row))
    say "  filling bench.$table with $shape_rows rows"
    sql bench -e "CREATE TABLE $table ($shape_columns)"
    insert_numbered "INSERT INTO $table SELECT $shape_values FROM" "$shape_rows"
    # Both read pages as full as they write them.
    sql bench -e "ALTER TABLE $table ENGINE=InnoDB, ALGORITHM=INPLACE"
    settle
    copy=$(time_sql "ALTER TABLE $table ENGINE=InnoDB, ALGORITHM=COPY")
    bytes=$(table_bytes "$table")
    settle
    run_tableshift "shapes-$1" "$table"
    shape_rate=$(mib_a_second "$bytes" "$copied_ms")
    sql bench -e "DROP TABLE $table"
    drop_leftovers "$table"
}
