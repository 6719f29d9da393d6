//! A report as a page for people: Danish, one file, no scripts, made to be printed on A4.

use std::io::{self, Write};

use super::{
    chart,
    model::Report,
    sheet::{Cell, Sheet, interview, jobcenter},
};
use crate::{
    domain::agreement::copenhagen,
    formats::danish::{day, thousands},
};

const STYLE: &str = include_str!("style.css");

pub(super) fn html(page: &mut dyn Write, report: &Report) -> io::Result<()> {
    let figures = &report.figures;
    let title = format!("Nøgletal {}", figures.period.name.replace(" to ", " til "));
    let made = figures.as_of.to_zoned(copenhagen()).strftime("%d.%m.%Y kl. %H.%M");
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"da\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n\
         <p>{first} til {last}. Opgjort {made}.</p>\n<p>{narrowed}</p>\n</header>\n<main>\n",
        title = escape(&title),
        first = day(figures.period.first_day),
        last = day(figures.period.last_day),
        narrowed = escape(&narrowed(report)),
    )?;
    page.write_all(chart::charts(figures).as_bytes())?;
    for mut sheet in figures.sheets() {
        section(page, &mut sheet)?;
    }
    write!(page, "</main>\n{}</body>\n</html>\n", footer(report))
}

/// What is left out, in words.
fn narrowed(report: &Report) -> String {
    let filter = &report.figures.filter;
    let parts = [
        ("a-kasse", &filter.akasse),
        ("jobcenter", &filter.jobcenter),
        ("aftale", &filter.agreement),
        ("beskedtype", &filter.kind),
        ("samtaletype", &filter.interview),
    ];
    let parts: Vec<String> =
        parts.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
    if parts.is_empty() {
        "Alle a-kasser og jobcentre.".to_owned()
    } else {
        format!("Kun {}.", parts.join(", "))
    }
}

fn section(page: &mut dyn Write, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let title = escape(sheet.title.da);
    let Some(first) = sheet.rows.peek() else {
        return writeln!(page, "<section>\n<h2>{title}</h2>\n<p>{}</p>\n</section>", escape(sheet.none.da));
    };
    writeln!(page, "<section>\n<table>\n<caption>{title}</caption>\n<thead><tr>")?;
    for (column, cell) in sheet.columns.iter().zip(first) {
        // Neither "A-kasse" nor "95 %" is parted at the end of a line.
        let head = escape(column.words.da).replace('-', "\u{2011}").replace(" %", "\u{a0}%");
        writeln!(page, "<th scope=\"col\"{}>{head}</th>", class(if is_number(cell) { "n" } else { "" }))?;
    }
    page.write_all(b"</tr></thead>\n<tbody>\n")?;
    for row in &mut sheet.rows {
        page.write_all(b"<tr>")?;
        for (place, cell) in row.iter().enumerate() {
            page.write_all(td(cell, place == 0).as_bytes())?;
        }
        page.write_all(b"</tr>\n")?;
    }
    page.write_all(b"</tbody>\n</table>\n</section>\n")
}

fn td(cell: &Cell, first: bool) -> String {
    let (class, text) = match cell {
        Cell::Text(text) => ("", or_dash(text)),
        Cell::Jobcenter(code) => ("", jobcenter(code)),
        Cell::Interview(code) => ("", interview(code).to_owned()),
        Cell::Count(count) => ("n", thousands(*count)),
        Cell::Share(share) => {
            ("n", share.map_or_else(|| "–".to_owned(), |share| percent(&share.to_string())))
        }
        Cell::Span(seconds) => ("n", seconds.map_or_else(|| "over et år".to_owned(), span)),
        Cell::Goal(goal) => ("n", goal.map_or_else(|| "–".to_owned(), |goal| percent(&goal.to_string()))),
        Cell::Mark(Some(true)) => ("mark", "ja".to_owned()),
        Cell::Mark(Some(false)) => ("", String::new()),
        Cell::Mark(None) => ("", "–".to_owned()),
    };
    let class = self::class(class);
    if first {
        format!("<th scope=\"row\"{class}>{}</th>", escape(&text))
    } else {
        format!("<td{class}>{}</td>", escape(&text))
    }
}

fn is_number(cell: &Cell) -> bool {
    matches!(cell, Cell::Count(_) | Cell::Share(_) | Cell::Goal(_) | Cell::Span(_))
}

fn class(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" class=\"{name}\"") }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { text.to_owned() }
}

/// What the figures mean, and by what they can be checked.
fn footer(report: &Report) -> String {
    let figures = &report.figures;
    format!(
        "<footer>\n<h2>Sådan er der talt</h2>\n\
         <p>Rettidighed er andelen af afholdte samtaler, der er afholdt senest på fristens dag. Målet er det, som den aftale \
         sætter, der gælder mellem de to parter i måneden; hvor aftalen siger det, er målet også mindst jobcentrets egen \
         andel i samme måned og samtaletype. Hvor ingen aftale sætter et mål, står en streg, og intet er markeret. \
         Udeblivelser og aflysninger tæller ikke med. \
         Samtaler tæller i hele måneder, i den måned de er afholdt. Rettes en registrering, tæller den seneste. \
         Alt andet tæller efter, hvornår beskeden er modtaget. Frister måles i forløbne timer. Median og 95 % er \
         højst en tiendedel for høje. Andele er rundet ned.</p>\n\
         <p>Butikkens sidste besked har nummer {last}; den er bedømt efter konfiguration {generation}. SHA-256 af \
         tallene: <code>{sha}</code>. Lavet af {program}. Siden indeholder ingen personoplysninger.</p>\n</footer>\n",
        last = figures.last_message,
        generation = figures.generation,
        sha = escape(&report.figures_sha256),
        program = escape(&report.program),
    )
}

/// `87,50 %` with a space that does not break.
pub(super) fn percent(share: &str) -> String {
    format!("{}\u{a0}%", share.replace('.', ","))
}

fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}\u{a0}sek."),
        (0, 0, _) => format!("{minutes}\u{a0}min."),
        (0, ..) => format!("{hours}\u{a0}t. {minutes:02}\u{a0}min."),
        _ => format!("{days}\u{a0}d. {hours}\u{a0}t."),
    }
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_written_as_danes_write_them() {
        assert_eq!(percent("87.50"), "87,50\u{a0}%");
        for (seconds, text) in
            [(59, "59 sek."), (61, "1 min."), (11_520, "3 t. 12 min."), (90_000, "1 d. 1 t.")]
        {
            assert_eq!(span(seconds).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn nothing_that_is_told_becomes_markup() {
        assert_eq!(escape("<b onclick='x'>&\"</b>"), "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;&lt;/b&gt;");
        let cell = td(&Cell::Text("<script>".into()), false);
        assert_eq!(cell, "<td>&lt;script&gt;</td>");
    }
}
