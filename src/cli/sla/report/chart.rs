//! Bars of a report, as SVG that stands in the page.

use std::fmt::Write;

use super::{
    html::{escape, percent},
    model::{Figures, Share},
    sheet::jobcenter,
};

/// More bars than this are no picture any more: the lowest are shown.
const BARS_MAX: usize = 30;
/// In the units of the picture.
const LABEL: u64 = 250;
const WIDTH: u64 = 400;
const ROW: u64 = 22;
const TOP: u64 = 24;

/// One bar: what it is of, its share, and what it is measured by.
struct Bar {
    label: String,
    share: Share,
    /// Percent.
    goal: Option<u8>,
    own: Option<Share>,
    marked: bool,
}

/// A-kasse at jobcenter over the period, and all together by month.
pub(super) fn charts(figures: &Figures) -> String {
    let mut pairs: Vec<Bar> = figures
        .summary
        .iter()
        .filter_map(|line| {
            Some(Bar {
                label: format!("{}, {}", line.akasse, jobcenter(&line.jobcenter)),
                share: line.measured.held.share?,
                goal: line.measured.goal_percent,
                own: line.measured.own_share,
                marked: line.measured.is_below(),
            })
        })
        .collect();
    let all = pairs.len();
    pairs.sort_by_key(|bar| bar.share.0);
    pairs.truncate(BARS_MAX);
    let which = if all > BARS_MAX { format!(" (de {BARS_MAX} laveste af {all})") } else { String::new() };
    let mut text = chart(&format!("Rettidighed pr. a-kasse og jobcenter{which}"), &pairs);
    let months = months(figures);
    if months.len() > 1 {
        text.push_str(&chart("Rettidighed pr. måned, alle a-kasser", &months));
    }
    text
}

/// All a-kasser in one month.
struct Sum {
    month: String,
    held: u64,
    in_time: u64,
    /// The one target of all lines; `None` where they differ, or where one has none.
    goal: Option<u8>,
}

/// The last months, if there are more than fit.
fn months(figures: &Figures) -> Vec<Bar> {
    let mut sums: Vec<Sum> = Vec::new();
    for line in figures.timeliness() {
        let (month, held, goal) = (line.month.to_string(), line.measured.held, line.measured.goal_percent);
        match sums.last_mut().filter(|last| last.month == month) {
            Some(sum) => {
                (sum.held, sum.in_time) = (sum.held + held.held, sum.in_time + held.in_time);
                sum.goal = sum.goal.filter(|of_all| Some(*of_all) == goal);
            }
            None => sums.push(Sum { month, held: held.held, in_time: held.in_time, goal }),
        }
    }
    let from = sums.len().saturating_sub(BARS_MAX);
    let held = sums.drain(from..).filter(|sum| sum.held > 0);
    held.map(|Sum { month, held, in_time, goal }| {
        let share = Share(in_time * 10_000 / held);
        let marked = goal.is_some_and(|goal| in_time * 100 < held * u64::from(goal));
        Bar { label: month, share, goal, own: None, marked }
    })
    .collect()
}

/// Nothing where there is no bar. The same figures stand in the tables, so the picture is named and not read out.
fn chart(title: &str, bars: &[Bar]) -> String {
    if bars.is_empty() {
        return String::new();
    }
    let height = TOP + ROW * bars.len() as u64 + 4;
    let (width, shared) = (LABEL + WIDTH + 70, shared(bars));
    let mut svg = format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}; tallene står i tabellerne\">\n",
        title = escape(title),
    );
    for (place, bar) in (0..).zip(bars) {
        let y = TOP + ROW * place;
        let length = length(bar.share);
        let class = if bar.marked { "bar low" } else { "bar" };
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{base}\" text-anchor=\"end\">{label}</text>\
             <rect class=\"{class}\" x=\"{LABEL}\" y=\"{y}\" width=\"{length}\" height=\"15\"/>\
             <text x=\"{end}\" y=\"{base}\">{share}</text>",
            x = LABEL - 8,
            base = y + 12,
            label = escape(&bar.label),
            end = LABEL + WIDTH + 6,
            share = percent(&bar.share.to_string()),
        );
        if let Some(goal) = bar.goal.filter(|_| shared.is_none()) {
            let _ = writeln!(
                svg,
                "<line class=\"goal\" x1=\"{at}\" y1=\"{y1}\" x2=\"{at}\" y2=\"{y2}\"><title>Mål: {goal}\u{a0}%</title></line>",
                at = at_percent(goal),
                y1 = y - 2,
                y2 = y + 17,
            );
        }
        if let Some(own) = bar.own {
            let at = LABEL + self::length(own);
            let _ = writeln!(
                svg,
                "<line class=\"own\" x1=\"{at}\" y1=\"{y1}\" x2=\"{at}\" y2=\"{y2}\"><title>Jobcentrets egen: {own}</title></line>",
                y1 = y - 2,
                y2 = y + 17,
                own = percent(&own.to_string()),
            );
        }
    }
    if let Some(goal) = shared {
        let at = at_percent(goal);
        let _ = writeln!(
            svg,
            "<text class=\"goal\" x=\"{at}\" y=\"14\" text-anchor=\"middle\">mål {goal} %</text>\n\
             <line class=\"goal\" x1=\"{at}\" y1=\"18\" x2=\"{at}\" y2=\"{height}\"/>"
        );
    }
    svg + "</svg>\n" + &legend(bars) + "</figure>\n"
}

/// What the lines and colours mean that are there.
fn legend(bars: &[Bar]) -> String {
    let own = bars.iter().any(|bar| bar.own.is_some());
    let goal = bars.iter().any(|bar| bar.goal.is_some());
    let mut words = String::new();
    if goal {
        words.push_str("Stiplet streg: målet efter aftalen. ");
    }
    if own {
        words.push_str("Lodret streg i søjlen: jobcentrets egen rettidighed. ");
    }
    if goal {
        let beside = if own { " eller under jobcentret, hvor aftalen siger det" } else { "" };
        let _ = write!(words, "Lyse, stiplede søjler ligger under målet{beside}.");
    }
    if words.is_empty() { words } else { format!("<p class=\"legend\">{}</p>\n", words.trim_end()) }
}

/// The target of every bar, where it is one and the same.
fn shared(bars: &[Bar]) -> Option<u8> {
    let first = bars.first()?.goal;
    first.filter(|_| bars.iter().all(|bar| bar.goal == first))
}

fn at_percent(percent: u8) -> u64 {
    LABEL + WIDTH * u64::from(percent) / 100
}

fn length(share: Share) -> u64 {
    WIDTH * share.0.min(10_000) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_with_one_target_have_one_line_and_others_each_their_own() {
        let bar = |goal| Bar { label: "3f".into(), share: Share(8_000), goal, own: None, marked: false };
        let drawn = |goals: &[Option<u8>]| {
            let bars: Vec<Bar> = goals.iter().map(|goal| bar(*goal)).collect();
            let svg = chart("x", &bars);
            (svg.matches("class=\"goal\"").count(), svg.contains("mål 90 %"), svg.contains("legend"))
        };
        assert_eq!(drawn(&[Some(90), Some(90), Some(90)]), (2, true, true), "its words and its line");
        assert_eq!(
            drawn(&[Some(90), Some(75), None]),
            (2, false, true),
            "a short line for each that has one"
        );
        assert_eq!(drawn(&[None, None]), (0, false, false));
    }
}
