//! The instructions as a person reads them.

use core::fmt::Write;

use crate::Set;
use crate::way::{Content, Output, Step, Way};

/// Columns of prose; commands are never cut.
const WIDTH: usize = 100;
/// Longest file that is shown in full.
const SHOWN: usize = 2_500;

/// All of it, ending in a line feed.
#[must_use]
pub fn render(set: &Set) -> String {
    let mut out = String::new();
    let many = set.ways.len() > 1;
    for (i, way) in set.ways.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let number = if many { format!("{}. ", i + 1) } else { String::new() };
        prose(&mut out, &number, "   ", way.title);
        prose(&mut out, "   ", "   ", &way.when);
        one(&mut out, way);
        if !many {
            way.files.iter().for_each(|file| show(&mut out, file));
        }
    }
    for (target, missing) in &set.left_out {
        prose(&mut out, "\n", "", &format!("Left out: {}; {missing}", target.word()));
    }
    out
}

fn one(out: &mut String, way: &Way) {
    steps(out, "Do", &way.steps);
    out.push_str("\n   Check, on the host\n");
    way.check.run.iter().for_each(|command| line(out, command));
    for good in &way.check.good {
        prose(out, "   good  ", "         ", good);
    }
    for sign in &way.check.bad {
        prose(out, "   bad   ", "         ", &sign.seen);
        prose(out, "         -> ", "            ", &sign.means);
    }
    steps(out, "Undo", &way.undo);
    out.push_str("\n   Files (--output DIR writes them)\n");
    for file in &way.files {
        line(out, &format!("{}, {} octets", file.path, file.content.octets().len()));
    }
}

fn steps(out: &mut String, head: &str, steps: &[Step]) {
    prose(out, "\n   ", "   ", head);
    for step in steps {
        prose(out, "   - ", "     ", &step.what);
        step.commands.iter().for_each(|command| line(out, command));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "     {text}");
}

/// Words in lines of at most [`WIDTH`] columns, where words allow it.
fn prose(out: &mut String, first: &str, indent: &str, text: &str) {
    out.push_str(first);
    let mut column = first.trim_start_matches('\n').chars().count();
    let mut fresh = true;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if !fresh && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.chars().count();
            fresh = true;
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        fresh = false;
    }
    out.push('\n');
}

fn show(out: &mut String, file: &Output) {
    match &file.content {
        Content::Text(text) if text.len() <= SHOWN && !file.path.contains("backup/") => {
            let _ = writeln!(out, "\n--- {}", file.path);
            for line in text.lines() {
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
        Content::Text(_) | Content::Octets(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_cut_between_words_and_keeps_its_indent() {
        let mut out = String::new();
        prose(&mut out, "- ", "  ", &"word ".repeat(40));
        assert_eq!(out.split_whitespace().filter(|w| *w == "word").count(), 40);
        assert!(out.lines().all(|l| l.len() <= WIDTH), "{out}");
        assert!(out.lines().skip(1).all(|l| l.starts_with("  word")), "{out}");
    }
}
