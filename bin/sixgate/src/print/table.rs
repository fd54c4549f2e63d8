//! Aligned columns.

/// Rows of cells under a head; the last column is not padded.
#[derive(Debug)]
pub(crate) struct Table {
    indent: &'static str,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(indent: &'static str, head: &[&str]) -> Self {
        Self { indent, rows: vec![head.iter().map(|c| (*c).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = format!("{}{}", self.indent, cells.collect::<Vec<_>>().join("  "));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let mut table = Table::new("  ", &["name", "state"]);
        table.row(["laptop-01".to_owned(), "ok".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        assert_eq!(table.render(), "  name       state\n  laptop-01  ok\n  x\n");
    }
}
