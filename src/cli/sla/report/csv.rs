//! A sheet as CSV: RFC 4180, and no cell that a spreadsheet takes for a formula.

use std::io::{self, Write};

use super::sheet::{Cell, Sheet};

/// A header and the rows, lines ended by CR LF. The last column is the fingerprint of all figures of the report, so
/// that a line that is copied elsewhere still says where it is from.
pub(super) fn csv(out: &mut dyn Write, sheet: &mut Sheet<'_>, sha256: &str) -> io::Result<()> {
    let header = sheet.columns.iter().map(|column| column.name.to_owned());
    line(out, header.chain(["figures_sha256".to_owned()]))?;
    for row in &mut sheet.rows {
        line(out, row.iter().map(cell).chain([sha256.to_owned()]))?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|cell| quoted(&safe(&cell))).collect();
    write!(out, "{}\r\n", cells.join(","))
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Jobcenter(text) | Cell::Interview(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Share(share) => share.map_or_else(String::new, |share| share.to_string()),
        Cell::Span(seconds) => seconds.map_or_else(String::new, |seconds| seconds.to_string()),
        Cell::Goal(percent) => percent.map_or_else(String::new, |percent| percent.to_string()),
        Cell::Mark(mark) => mark.map_or_else(String::new, |mark| mark.to_string()),
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
            let mut text = Vec::new();
            line(&mut text, [came.to_owned(), "next".to_owned()].into_iter()).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), format!("{written},next\r\n"), "{came:?}");
        }
    }
}
