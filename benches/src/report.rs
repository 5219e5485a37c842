//! Prints tables, with the machine and its limits around them.

use std::cell::RefCell;
use std::fmt::Write as _;

use clap::Parser as _;

use crate::limits::Limits;
use crate::runner::{Contest, Format, Options, Row, Table, summary};

mod ratios;

/// A run of a benchmark binary: the machine and its limits, the tables, the limits again,
/// so that a machine that changed meanwhile shows, and the ratios of all tables that have
/// contestants of ours marked as such.
pub struct Report {
    options: Options,
    tables: RefCell<Vec<Table>>,
}

impl Report {
    /// Reads the command line, and prints the machine and its limits.
    pub fn start() -> Self {
        let options = Options::parse();
        match options.format {
            Format::Markdown => {
                println!("{}", machine());
                println!("\nLimits before: {}", Limits::measure());
            }
            Format::Csv => println!("table,contestant,round,unit,value"),
        }
        Self {
            options,
            tables: RefCell::default(),
        }
    }

    /// What the command line says.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Runs the contest and prints its table, if it was asked for.
    pub fn run(&self, contest: Contest<'_>) {
        if self.options.wants(contest.title()) {
            let table = contest.run(self.options.rounds);
            match self.options.format {
                Format::Markdown => println!("{}", markdown(&table)),
                Format::Csv => print!("{}", csv(&table)),
            }
            self.tables.borrow_mut().push(table);
        }
    }

    /// Prints the limits again, and the ratios.
    pub fn finish(self) {
        if self.options.format == Format::Markdown {
            println!("Limits after: {}", Limits::measure());
            print!("{}", ratios::markdown(&self.tables.into_inner()));
        }
    }
}

/// The processor, how many of it, and the system.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or(std::env::consts::ARCH, |(_, model)| model);
    let usable = std::thread::available_parallelism().map_or(0, usize::from);
    let system = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    format!(
        "Machine: {model}, {usable} usable processors, {} {}, load average {load}",
        std::env::consts::OS,
        system.trim(),
    )
}

fn markdown(table: &Table) -> String {
    let mut out = format!("\n## {} ({})\n\n", table.title, table.unit.name());
    let mut head = vec![
        "contestant",
        "median",
        "min",
        "max",
        "speed ratio (min..max)",
    ];
    if !table.limits.is_empty() {
        head.push("of the limit");
    }
    if table.has_ways() {
        head.push("to its other way (min..max)");
    }
    if table.fairness {
        head.push("least/most share");
    }
    if table.has_latencies() {
        head.extend(["p50 ns", "p99 ns", "p99.9 ns", "max ns"]);
    }
    line(&mut out, head.iter().map(|&cell| cell.to_owned()));
    line(&mut out, head.iter().map(|_| "---".to_owned()));
    for (place, row) in table.rows.iter().enumerate() {
        line(&mut out, cells(table, row, place == table.baseline));
    }
    if !table.limits.is_empty() {
        let (median, min, max) = summary(&table.limits);
        let limit = [
            "hardware limit".to_owned(),
            number(median),
            number(min),
            number(max),
        ];
        let rest = std::iter::repeat_n(String::new(), head.len() - limit.len());
        line(&mut out, limit.into_iter().chain(rest));
    }
    out
}

fn cells(table: &Table, row: &Row, baseline: bool) -> impl Iterator<Item = String> {
    let (median, min, max) = summary(&row.values);
    let mut cells = vec![
        row.name.clone(),
        number(median),
        number(min),
        number(max),
        if baseline {
            "1 (baseline)".to_owned()
        } else {
            ratio(&row.ratios)
        },
    ];
    if !table.limits.is_empty() {
        cells.push(format!("{:.2}", summary(&row.of_limit).0));
    }
    if table.has_ways() {
        cells.push(ratio(&row.of_way));
    }
    if table.fairness {
        cells.push(format!("{:.2}", summary(&row.fairness).0));
    }
    if table.has_latencies() {
        match &row.latencies {
            Some(histogram) => {
                for quantile in [0.5, 0.99, 0.999, 1.0] {
                    cells.push(histogram.value_at_quantile(quantile).to_string());
                }
            }
            None => cells.extend(std::iter::repeat_n(String::new(), 4)),
        }
    }
    cells.into_iter()
}

/// Median, smallest and largest of what was measured; nothing of nothing.
fn ratio(ratios: &[f64]) -> String {
    if ratios.is_empty() {
        return String::new();
    }
    let (median, low, high) = summary(ratios);
    format!("{median:.2} ({low:.2}..{high:.2})")
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        write!(out, " {cell} |").expect("a String takes everything");
    }
    out.push('\n');
}

/// Three significant digits or so.
fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn csv(table: &Table) -> String {
    let mut out = String::new();
    let limit = (!table.limits.is_empty()).then_some(("hardware limit", &table.limits));
    let rows = (table.rows.iter()).map(|row| (row.name.as_str(), &row.values));
    for (name, values) in rows.chain(limit) {
        for (round, value) in values.iter().enumerate() {
            writeln!(
                out,
                "\"{}\",\"{name}\",{round},{},{value}",
                table.title,
                table.unit.name()
            )
            .expect("a String takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::{Turn, Unit, nanoseconds};

    fn table() -> Table {
        let turn = |operations, shares: [u64; 2]| {
            move || {
                let mut latencies = nanoseconds();
                latencies.record(100).unwrap();
                Turn {
                    operations,
                    elapsed: Duration::from_micros(100),
                    latencies: Some(latencies),
                    shares: shares.to_vec(),
                }
            }
        };
        Contest::new("two", Unit::Mops)
            .add("base", turn(1_000, [500, 500]))
            .add("other", turn(2_500, [500, 2_000]))
            .fairness()
            .run(2)
    }

    #[test]
    fn markdown_has_ratio_fairness_and_quantiles() {
        let text = markdown(&table());
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(lines.len(), 4);
        let columns = |line: &str| line.matches('|').count();
        assert!(lines.iter().all(|line| columns(line) == columns(lines[0])));
        assert_eq!(
            lines[2],
            "| base | 10.0 | 10.0 | 10.0 | 1 (baseline) | 1.00 | 100 | 100 | 100 | 100 |"
        );
        assert_eq!(
            lines[3],
            "| other | 25.0 | 25.0 | 25.0 | 2.50 (2.50..2.50) | 0.25 | 100 | 100 | 100 | 100 |"
        );
    }

    #[test]
    fn csv_has_a_line_for_each_turn() {
        let text = csv(&table());
        assert_eq!(text.lines().count(), 4);
        assert_eq!(text.lines().next(), Some("\"two\",\"base\",0,Mops/s,10"));
    }

    #[test]
    fn limit_and_other_way_have_columns() {
        let turn = |operations| {
            move || Turn {
                operations,
                elapsed: Duration::from_micros(100),
                latencies: None,
                shares: vec![operations],
            }
        };
        let table = Contest::new("ways", Unit::Mops)
            .add("base", turn(1_000))
            .beside("slowly", turn(500))
            .limit(|| 40.0)
            .run(1);
        let text = markdown(&table);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(
            lines[2..],
            [
                "| base | 10.0 | 10.0 | 10.0 | 1 (baseline) | 0.25 | 2.00 (2.00..2.00) |",
                "| base, slowly | 5.00 | 5.00 | 5.00 | 0.50 (0.50..0.50) | 0.12 |  |",
                "| hardware limit | 40.0 | 40.0 | 40.0 |  |  |  |",
            ]
        );
        assert_eq!(
            csv(&table).lines().last(),
            Some("\"ways\",\"hardware limit\",0,Mops/s,40")
        );
    }
}
