# shellcheck shell=bash
# Part of scripts/bench: time, ratios, targets, and the tables that show them.

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $*"
    exit 1
}

now_ms() { printf '%s\n' $((${EPOCHREALTIME/[.,]/} / 1000)); }

# Waits for $1 seconds without starting a process.
nap() { read -rt "$1" -u "$never" _ || true; }

# $1 / $2 with $3 digits (2) after the point; a dash if either is unknown.
ratio() {
    awk -v a="$1" -v b="$2" -v digits="${3:-2}" 'BEGIN {
        if (a !~ /^[0-9.]+$/ || b !~ /^[0-9.]+$/ || b == 0) print "-"
        else printf "%.*f\n", digits, a / b }'
}

# Milliseconds as seconds, seconds as milliseconds; dashes stay.
seconds() { ratio "$1" 1000 "${2:-1}"; }
milliseconds() { ratio "$1" 0.001 0; }

# The median of the numbers on stdin, one a line.
median() {
    sort -n | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2; else print "-" }'
}

largest() { sort -n | tail -n 1; }

# judge WHAT VALUE most|least BOUND: sets `target` and `met` for the table's
# line, and keeps them for the list of all targets.
judge() {
    local sign='≤'
    [[ $3 == most ]] || sign='≥'
    target="$sign $4"
    met=$(awk -v value="$2" -v kind="$3" -v bound="$4" 'BEGIN {
        if (value !~ /^[0-9.]+$/) print "unknown"
        else if (kind == "most" ? value <= bound : value >= bound) print "yes"
        else print "**no**" }')
    printf '| %s | %s | %s | %s | %s |\n' "$section" "$1" "$2" "$target" "$met" >>"$logs/targets.md"
}

# Nothing was asked of this line.
unjudged() { target='' met=''; }

title() { printf '\n## %s\n\n' "$*"; }
header() {
    local heading line='|' marks='|'
    for heading; do
        line+=" $heading |"
        if [[ $heading ]]; then marks+='---:|'; else marks+='---|'; fi
    done
    printf '%s\n%s\n' "$line" "$marks"
}
cells() {
    local cell line='|'
    for cell; do line+=" $cell |"; done
    printf '%s\n' "$line"
}

# --- what the writers saw ------------------------------------------------------

# writers LOG FROM-TO...: sets writes_per_s, p50_ms, p99_ms, longest_ms over the
# reports in those stretches of milliseconds since 1970. A report that lies only
# partly in one counts for the longest wait alone.
writers() {
    local log=$1
    shift
    read -r writes_per_s p50_ms p99_ms longest_ms < <(awk -v stretches="$*" '
        # The largest number of microseconds in a bucket (examples/load/meter.rs).
        function upper(bucket) {
            if (bucket < 32) return bucket
            return (33 + bucket % 32) * 2 ^ (int(bucket / 32) - 1) - 1
        }
        function quantile(share,    bucket, seen) {
            for (bucket = 0; bucket <= highest; bucket++) {
                seen += hist[bucket]
                if (seen && seen >= share * total) return upper(bucket) / 1000
            }
        }
        BEGIN { count = split(stretches, stretch, " ") }
        /^report/ {
            delete value
            for (i = 2; i <= NF; i++) { split($i, pair, "="); value[pair[1]] = pair[2] }
            end = value["at_ms"]; begin = end - value["interval_ms"]
            for (i = 1; i <= count; i++) {
                split(stretch[i], bound, "-")
                if (end < bound[1] || begin > bound[2]) continue
                if (value["longest_ms"] + 0 > longest) longest = value["longest_ms"] + 0
                if (begin < bound[1] || end > bound[2]) continue
                writes += value["writes"]; time += value["interval_ms"]
                parts = split(value["hist"], part, ",")
                for (p = 1; p <= parts; p++) {
                    split(part[p], pair, ":")
                    hist[pair[1]] += pair[2]; total += pair[2]
                    if (pair[1] + 0 > highest) highest = pair[1] + 0
                }
            }
        }
        END {
            if (time) printf "%.0f %.2f %.2f %.1f\n", writes * 1000 / time, quantile(0.5), quantile(0.99), longest
            else print "- - - -"
        }' "$log")
}

# stall LOG FROM TO: the longest wait in milliseconds of the statements that
# waited at any moment between the two, or the limit below which none is logged.
stall() {
    awk -v from="$2" -v to="$3" -v floor="$slow_ms" '
        BEGIN { longest = floor }
        /^slow/ {
            split($2, at, "="); split($3, waited, "=")
            if (at[2] <= to && at[2] + waited[2] / 1000 >= from && waited[2] / 1000 > longest)
                longest = waited[2] / 1000
        }
        END { printf "%.1f\n", longest }' "$1"
}
