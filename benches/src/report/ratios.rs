//! The ratios of all tables of a run in one place.

use super::{line, ratio};
use crate::runner::{Role, Row, Table, summary};

/// What is compared in each table.
#[derive(Clone, Copy)]
enum To {
    Baseline,
    BestPeer,
}

/// The contestants' medians, a line for each table; then ours with the range, beside what
/// they are to reach. Empty without contestants of ours.
pub(super) fn markdown(tables: &[Table]) -> String {
    let tables: Vec<_> = (tables.iter())
        .filter(|table| {
            table
                .rows
                .iter()
                .any(|row| matches!(row.role, Role::Own { .. }))
        })
        .collect();
    let mut out = String::new();
    // Tables of the same contestants go together.
    for group in tables.chunk_by(|a, b| names(a).eq(names(b))) {
        let baseline = &group[0].rows[group[0].baseline].name;
        out += &format!("\n## Ratio to {baseline} (median)\n\n");
        matrix(&mut out, group, To::Baseline);
        out += "\n## Ratio to the best peer (median)\n\n";
        matrix(&mut out, group, To::BestPeer);
    }
    if !tables.is_empty() {
        out += "\n## Ours\n\n";
        ours(&mut out, &tables);
    }
    out
}

/// The contestants, without other ways of theirs.
fn contestants(table: &Table) -> impl Iterator<Item = &Row> {
    (table.rows.iter()).filter(|row| !matches!(row.role, Role::Way { .. }))
}

fn names(table: &Table) -> impl Iterator<Item = &str> {
    contestants(table).map(|row| row.name.as_str())
}

fn matrix(out: &mut String, tables: &[&Table], to: To) {
    let head = |first: &str, rest: &str| match to {
        To::Baseline => vec![first.to_owned()],
        To::BestPeer => vec![first.to_owned(), rest.to_owned()],
    };
    let names = names(tables[0]).map(str::to_owned);
    let columns: Vec<_> = head("table", "best peer")
        .into_iter()
        .chain(names)
        .collect();
    let rule = vec!["---".to_owned(); columns.len()];
    line(out, columns.into_iter());
    line(out, rule.into_iter());
    for table in tables {
        let best = table.best_peer();
        let first = head(&table.title, best.map_or("", |row| &row.name));
        let ratios = contestants(table).map(|row| match (to, best) {
            (To::Baseline, _) => format!("{:.2}", summary(&row.ratios).0),
            (To::BestPeer, Some(best)) => format!("{:.2}", summary(&against(table, row, best)).0),
            (To::BestPeer, None) => String::new(),
        });
        line(out, first.into_iter().chain(ratios));
    }
}

fn against(table: &Table, row: &Row, other: &Row) -> Vec<f64> {
    table.unit.speeds(&row.values, &other.values)
}

fn ours(out: &mut String, tables: &[&Table]) {
    let columns = [
        "table",
        "ours",
        "to the baseline (min..max)",
        "best peer",
        "to the best peer (min..max)",
        "target",
        "reached",
        "of the limit",
        "to its other way (min..max)",
    ];
    line(out, columns.iter().map(|&cell| cell.to_owned()));
    line(out, columns.iter().map(|_| "---".to_owned()));
    for table in tables {
        for row in &table.rows {
            let Role::Own { target } = row.role else {
                continue;
            };
            let best = table.best_peer();
            let to_best = best.map_or(Vec::new(), |best| against(table, row, best));
            let of_limit = (!row.of_limit.is_empty()).then(|| summary(&row.of_limit).0);
            let cells = [
                table.title.clone(),
                row.name.clone(),
                ratio(&row.ratios),
                best.map_or(String::new(), |best| best.name.clone()),
                ratio(&to_best),
                target.map_or(String::new(), |target| target.to_string()),
                target.map_or(String::new(), |target| reached(&to_best, target)),
                of_limit.map_or(String::new(), |share| format!("{share:.2}")),
                ratio(&row.of_way),
            ];
            line(out, cells.into_iter());
        }
    }
}

/// By the median; with a question mark if some rounds say otherwise.
fn reached(ratios: &[f64], target: f64) -> String {
    if ratios.is_empty() {
        return String::new();
    }
    let (median, low, high) = summary(ratios);
    let answer = if median >= target { "yes" } else { "no" };
    let all_agree = low >= target || high < target;
    format!("{answer}{}", if all_agree { "" } else { "?" })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::{Contest, Turn, Unit};

    fn turn(operations: u64) -> Turn {
        Turn {
            operations,
            elapsed: Duration::from_micros(100),
            latencies: None,
            shares: vec![operations],
        }
    }

    fn table(title: &str, unit: Unit) -> Table {
        // The first is the warm-up; then 20, 40, 30 against the best peer's 25.
        let mut speeds = [3_000, 2_000, 4_000, 3_000].into_iter();
        Contest::new(title, unit)
            .add("crossbeam", || turn(1_000))
            .add("peer", || turn(2_500))
            .beside("slowly", || turn(9_000))
            .add_yardstick("lock", || turn(9_000))
            .add_own("engine", Some(1.2), move || turn(speeds.next().unwrap()))
            .run(3)
    }

    #[test]
    fn the_matrices_and_ours() {
        let text = markdown(&[table("one", Unit::Mops), table("two", Unit::Nanoseconds)]);
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            lines,
            [
                "## Ratio to crossbeam (median)",
                "| table | crossbeam | peer | lock | engine |",
                "| --- | --- | --- | --- | --- |",
                "| one | 1.00 | 2.50 | 9.00 | 3.00 |",
                "| two | 1.00 | 2.50 | 9.00 | 3.00 |",
                "## Ratio to the best peer (median)",
                "| table | best peer | crossbeam | peer | lock | engine |",
                "| --- | --- | --- | --- | --- | --- |",
                "| one | peer | 0.40 | 1.00 | 3.60 | 1.20 |",
                "| two | peer | 0.40 | 1.00 | 3.60 | 1.20 |",
                "## Ours",
                "| table | ours | to the baseline (min..max) | best peer | \
                 to the best peer (min..max) | target | reached | of the limit | \
                 to its other way (min..max) |",
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
                "| one | engine | 3.00 (2.00..4.00) | peer | 1.20 (0.80..1.60) | 1.2 | yes? |  |  |",
                "| two | engine | 3.00 (2.00..4.00) | peer | 1.20 (0.80..1.60) | 1.2 | yes? |  |  |",
            ]
        );
    }

    #[test]
    fn without_ours_there_is_nothing_to_say() {
        let table = Contest::new("peers", Unit::Mops)
            .add("A", || turn(1_000))
            .run(1);
        assert_eq!(markdown(&[table]), "");
    }

    #[test]
    fn a_target_is_reached_or_not_or_nearly() {
        assert_eq!(reached(&[1.3, 1.2, 1.4], 1.2), "yes");
        assert_eq!(reached(&[1.3, 1.1, 1.4], 1.2), "yes?");
        assert_eq!(reached(&[1.0, 1.1, 1.4], 1.2), "no?");
        assert_eq!(reached(&[1.0, 1.1, 1.1], 1.2), "no");
    }
}
