//! Bars of a report, as SVG that stands in the page.

use std::fmt::Write;

use super::{
    html::{escape, percent},
    model::{Figures, GOAL_PERCENT, Share},
    sheet::jobcenter,
};

/// More bars than this are no picture any more: the lowest are shown.
const BARS_MAX: usize = 30;
/// In the units of the picture.
const LABEL: u64 = 250;
const WIDTH: u64 = 400;
const ROW: u64 = 22;
const TOP: u64 = 24;

/// One bar: what it is of, its share, and the share it is measured by.
struct Bar {
    label: String,
    share: Share,
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
                own: line.measured.own_share,
                marked: line.measured.held.below_goal || line.measured.below_own,
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

/// The last months, if there are more than fit.
fn months(figures: &Figures) -> Vec<Bar> {
    let mut sums: Vec<(String, u64, u64)> = Vec::new();
    for line in &figures.timeliness {
        let (month, held) = (line.month.to_string(), line.measured.held);
        match sums.last_mut().filter(|(last, ..)| *last == month) {
            Some((_, all, in_time)) => (*all, *in_time) = (*all + held.held, *in_time + held.in_time),
            None => sums.push((month, held.held, held.in_time)),
        }
    }
    let from = sums.len().saturating_sub(BARS_MAX);
    let held = sums.drain(from..).filter(|(_, held, _)| *held > 0);
    held.map(|(label, held, in_time)| {
        let share = Share(in_time * 10_000 / held);
        Bar { label, share, own: None, marked: in_time * 100 < held * GOAL_PERCENT }
    })
    .collect()
}

/// Nothing where there is no bar. The same figures stand in the tables, so the picture is named and not read out.
fn chart(title: &str, bars: &[Bar]) -> String {
    if bars.is_empty() {
        return String::new();
    }
    let height = TOP + ROW * bars.len() as u64 + 4;
    let (goal, width) = (LABEL + WIDTH * GOAL_PERCENT / 100, LABEL + WIDTH + 70);
    let mut svg = format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}; tallene står i tabellerne\">\n\
         <text class=\"goal\" x=\"{goal}\" y=\"14\" text-anchor=\"middle\">mål {GOAL_PERCENT} %</text>\n",
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
    let _ =
        writeln!(svg, "<line class=\"goal\" x1=\"{goal}\" y1=\"18\" x2=\"{goal}\" y2=\"{height}\"/>\n</svg>");
    let legend = if bars.iter().any(|bar| bar.own.is_some()) {
        "<p class=\"legend\">Lodret streg i søjlen: jobcentrets egen rettidighed. Lyse, stiplede søjler ligger under målet eller \
         under jobcentret.</p>\n"
    } else {
        "<p class=\"legend\">Lyse, stiplede søjler ligger under målet.</p>\n"
    };
    svg + legend + "</figure>\n"
}

fn length(share: Share) -> u64 {
    WIDTH * share.0.min(10_000) / 10_000
}
