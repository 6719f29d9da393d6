//! A sheet as CSV: RFC 4180, and no cell that a spreadsheet takes for a formula.

use super::sheet::{Cell, Sheet};

/// A header and the rows, lines ended by CR LF. The last column is the fingerprint of all figures of the report, so
/// that a line that is copied elsewhere still says where it is from.
pub(super) fn csv(sheet: &Sheet, sha256: &str) -> String {
    let mut text = String::new();
    let header = sheet.columns.iter().map(|column| column.name.to_owned());
    line(&mut text, header.chain(["figures_sha256".to_owned()]));
    for row in &sheet.rows {
        line(&mut text, row.iter().map(cell).chain([sha256.to_owned()]));
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|cell| quoted(&safe(&cell))).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Jobcenter(text) | Cell::Interview(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Share(share) => share.map_or_else(String::new, |share| share.to_string()),
        Cell::Span(seconds) => seconds.map_or_else(String::new, |seconds| seconds.to_string()),
        Cell::Mark(mark) => mark.to_string(),
    }
}

/// Behind an apostrophe where a spreadsheet would reckon.
fn safe(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_stays_one() {
        for (came, written) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+45", "'+45"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut text = String::new();
            line(&mut text, [came.to_owned(), "next".to_owned()].into_iter());
            assert_eq!(text, format!("{written},next\r\n"), "{came:?}");
        }
    }
}
