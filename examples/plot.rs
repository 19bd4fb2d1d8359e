//! Draws a loaded run for docs/performance.md: what the writers got, how long they waited, how many keys
//! were dirty, and what tableshift was doing, over time.
//!
//! ```text
//! plot --writers LOG --progress LOG --run LOG --title TEXT > performance.svg
//! ```
//!
//! The logs are those of scripts/bench: reports of examples/load, the tool's lines of progress, and its
//! output, each line with milliseconds since 1970 in front.

use std::{collections::HashMap, env, fmt::Write as _, fs, process::ExitCode};

type Failure = Box<dyn std::error::Error>;

/// The picture, in pixels.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 100.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 46.0;
/// Seconds that are shown before the start and after the end.
const MARGIN_S: f64 = 3.0;

/// Seconds since the tool's start, and a value.
type Points = Vec<(f64, f64)>;

#[derive(Default)]
struct Logs {
    writes: Points,
    p50: Points,
    p99: Points,
    backlog: Points,
    /// Name, and where it begins and ends.
    phases: Vec<(&'static str, f64, f64)>,
}

// --- reading -------------------------------------------------------------------------------------

/// The `key=number` words of a line.
fn numbers(line: &str) -> HashMap<&str, f64> {
    let pairs = line.split(' ').filter_map(|word| word.split_once('='));
    pairs
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect()
}

/// When the first line that has one of these texts was stamped.
fn stamp(run: &str, texts: &[&str]) -> Option<f64> {
    let line = run
        .lines()
        .find(|line| texts.iter().any(|text| line.contains(text)))?;
    line.split(' ').next()?.parse().ok()
}

fn phases(run: &str) -> Result<(f64, Logs), Failure> {
    let needed = |texts: &[&str]| {
        stamp(run, texts).ok_or_else(|| format!("the tool's log has no line with {texts:?}"))
    };
    let begin = needed(&["migrating table="])?;
    let copied = needed(&["copy complete"])?;
    let verified = needed(&[" verified rows=", " compared suspects="])?;
    let swapped = needed(&["swapped locked_ms="])?;
    let seconds = |at: f64| (at - begin) / 1000.0;
    let phases = vec![
        ("copy", 0.0, seconds(copied)),
        ("verification", seconds(copied), seconds(verified)),
        ("cut-over", seconds(verified), seconds(swapped)),
    ];
    Ok((
        begin,
        Logs {
            phases,
            ..Logs::default()
        },
    ))
}

fn read(writers: &str, progress: &str, run: &str) -> Result<Logs, Failure> {
    let (begin, mut logs) = phases(run)?;
    let end = logs.phases.last().map_or(0.0, |phase| phase.2) + MARGIN_S;
    for line in writers.lines().filter(|line| line.starts_with("report ")) {
        let value = numbers(line);
        let get = |key: &str| value.get(key).copied().unwrap_or_default();
        // In the middle of what it tells of.
        let at = (get("at_ms") - get("interval_ms") / 2.0 - begin) / 1000.0;
        if (-MARGIN_S..=end).contains(&at) {
            logs.writes.push((at, get("writes_per_s")));
            if get("writes") > 0.0 {
                logs.p50.push((at, get("p50_us") / 1000.0));
                logs.p99.push((at, get("p99_us") / 1000.0));
            }
        }
    }
    for line in progress.lines() {
        let value = numbers(line);
        if let (Some(at), Some(backlog)) = (value.get("at_ms"), value.get("backlog")) {
            logs.backlog.push(((at - begin) / 1000.0, *backlog));
        }
    }
    if logs.writes.is_empty() || logs.backlog.is_empty() {
        return Err("nothing was reported while the tool ran".into());
    }
    Ok(logs)
}

// --- drawing -------------------------------------------------------------------------------------

/// From values to pixels, in one direction.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let scale = |value: f64| {
            if self.logarithmic {
                value.max(self.low).log10()
            } else {
                value
            }
        };
        let share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low));
        self.from + share * (self.to - self.from)
    }

    /// Where lines of the grid are drawn.
    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let (mut tick, mut ticks) = (self.low, Vec::new());
            while tick <= self.high * 1.001 {
                ticks.push(tick);
                tick *= 10.0;
            }
            return ticks;
        }
        let step = step(self.high - self.low);
        let (mut tick, mut ticks) = ((self.low / step).ceil() * step, Vec::new());
        while tick <= self.high + step / 1000.0 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// A round number of which four to eight make the length.
fn step(length: f64) -> f64 {
    let power = 10_f64.powf((length / 4.0).log10().floor());
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| length / step >= 4.0)
        .unwrap_or(power)
}

/// The end of an axis that begins at 0: the step after the highest value.
fn end_of(points: &Points) -> f64 {
    let highest = points.iter().fold(1.0_f64, |high, point| high.max(point.1));
    let step = step(highest);
    (highest / step).ceil() * step
}

/// A number with its thousands apart and no needless digits.
fn label(value: f64) -> String {
    let text = format!("{value}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if rest.is_empty() {
        grouped
    } else {
        format!("{grouped}.{}", &rest[..rest.len().min(3)])
    }
}

/// A line of a panel: its name in the legend, its colour, its values.
type Series<'a> = (&'a str, &'a str, &'a Points);

struct Picture {
    text: String,
    time: Axis,
}

impl Picture {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn words(&mut self, x: f64, y: f64, style: &str, words: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
            words.replace('&', "&amp;").replace('<', "&lt;")
        );
    }

    /// A panel of which this is the upper edge.
    fn panel(&mut self, top: f64, name: &str, logarithmic: bool, series: &[Series]) {
        let high = series
            .iter()
            .map(|(_, _, points)| end_of(points))
            .fold(1.0_f64, f64::max);
        let axis = Axis {
            low: if logarithmic { 0.1 } else { 0.0 },
            high: if logarithmic {
                10_f64.powf(high.log10().ceil())
            } else {
                high
            },
            from: top + PANEL,
            to: top,
            logarithmic,
        };
        self.grid(top, &axis);
        self.words(LEFT, top - 10.0, "class=\"name\"", name);
        for (number, (legend, colour, points)) in series.iter().enumerate() {
            self.line(&axis, colour, points);
            if series.len() > 1 {
                let x = WIDTH - RIGHT - 150.0 + 80.0 * f64::from(u8::try_from(number).unwrap_or(0));
                self.add(&format!(
                    "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
                    x + 20.0,
                    y = top - 14.0
                ));
                self.words(x + 26.0, top - 10.0, "class=\"tick\"", legend);
            }
        }
    }

    fn grid(&mut self, top: f64, axis: &Axis) {
        for tick in axis.ticks() {
            let y = axis.at(tick);
            self.add(&format!(
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>",
                WIDTH - RIGHT
            ));
            self.words(
                LEFT - 8.0,
                y + 4.0,
                "class=\"tick\" text-anchor=\"end\"",
                &label(tick),
            );
        }
        for tick in self.time.ticks() {
            let x = self.time.at(tick);
            self.add(&format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{}\" class=\"grid\"/>",
                top + PANEL
            ));
            self.words(
                x,
                top + PANEL + 16.0,
                "class=\"tick\" text-anchor=\"middle\"",
                &label(tick),
            );
        }
    }

    fn line(&mut self, axis: &Axis, colour: &str, points: &Points) {
        let mut path = String::new();
        for (at, value) in points {
            let _ = write!(path, "{:.1},{:.1} ", self.time.at(*at), axis.at(*value));
        }
        self.add(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"/>",
            path.trim_end()
        ));
    }

    /// Bands behind all panels, and a legend of them above.
    fn phases(&mut self, phases: &[(&str, f64, f64)], bottom: f64) {
        let mut legend = LEFT;
        for ((name, begin, end), colour) in phases.iter().zip(["#dbeafe", "#dcfce7", "#fecaca"]) {
            let (x, end) = (self.time.at(*begin), self.time.at(*end));
            self.add(&format!(
                "<rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                (end - x).max(2.0),
                bottom - TOP
            ));
            // Names above the bands would run into each other where the bands are narrow.
            self.add(&format!(
                "<rect x=\"{legend}\" y=\"41\" width=\"14\" height=\"14\" fill=\"{colour}\" stroke=\"#00000030\"/>"
            ));
            self.words(legend + 20.0, 52.0, "class=\"tick\"", name);
            legend += 44.0 + 7.0 * f64::from(u8::try_from(name.len()).unwrap_or(0));
        }
    }
}

fn draw(logs: &Logs, title: &str) -> String {
    let last = logs.phases.last().map_or(0.0, |phase| phase.2);
    let bottom = TOP + 3.0 * PANEL + 2.0 * GAP;
    let height = bottom + 48.0;
    let mut picture = Picture {
        text: format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\">\n\
             <style>.grid{{stroke:#00000018}}.tick{{font-size:12px;fill:#444}}.name{{font-size:13px;fill:#111}}\
             .title{{font-size:16px;fill:#111;font-weight:bold}}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        ),
        time: Axis {
            low: -MARGIN_S,
            high: last + MARGIN_S,
            from: LEFT,
            to: WIDTH - RIGHT,
            logarithmic: false,
        },
    };
    picture.words(LEFT, 24.0, "class=\"title\"", title);
    picture.phases(&logs.phases, bottom);
    let panels: [(&str, bool, Vec<Series>); 3] = [
        (
            "writes a second",
            false,
            vec![("writes", "#1d4ed8", &logs.writes)],
        ),
        (
            "latency of a write, ms",
            true,
            vec![("p50", "#047857", &logs.p50), ("p99", "#b45309", &logs.p99)],
        ),
        (
            "backlog, dirty keys",
            false,
            vec![("backlog", "#7c3aed", &logs.backlog)],
        ),
    ];
    let mut top = TOP;
    for (name, logarithmic, series) in panels {
        picture.panel(top, name, logarithmic, &series);
        top += PANEL + GAP;
    }
    picture.words(
        f64::midpoint(LEFT, WIDTH - RIGHT),
        height - 10.0,
        "class=\"tick\" text-anchor=\"middle\"",
        "seconds since the start",
    );
    picture.add("</svg>");
    picture.text
}

fn run() -> Result<String, Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let given: HashMap<&str, &str> = words
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    let value = |name: &str| {
        given
            .get(name)
            .copied()
            .ok_or_else(|| format!("{name} must be given"))
    };
    let file = |name: &str| -> Result<String, Failure> { Ok(fs::read_to_string(value(name)?)?) };
    let logs = read(&file("--writers")?, &file("--progress")?, &file("--run")?)?;
    Ok(draw(&logs, value("--title")?))
}

fn main() -> ExitCode {
    match run() {
        Ok(svg) => {
            print!("{svg}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("plot: {error}");
            ExitCode::FAILURE
        }
    }
}
