//! The ratios as a picture: a bar a row, a mark at the floor.

use std::fmt::Write;

use super::figure::{Figure, Kind};
use super::report::Report;
use super::subject::Subject;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 150.0;
const BAR: f64 = 12.0;
const GAP: f64 = 16.0;
/// Room right of the longest bar for its number.
const RIGHT: f64 = 90.0;
const COLOURS: [&str; 3] = ["#9aa5b1", "#2563eb", "#d97706"];

/// A document of its own.
pub(super) fn svg(report: &Report) -> String {
    let rates = |f: &&Figure| matches!(f.kind, Kind::Bulk(_) | Kind::Datagrams | Kind::Connections);
    let figures: Vec<&Figure> = report.figures.iter().filter(rates).collect();
    let height = 40.0 + figures.len() as f64 * (3.0 * BAR + GAP);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    );
    let mut x = LEFT;
    for (subject, colour) in Subject::ALL.into_iter().zip(COLOURS) {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"10\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"20\">{}</text>",
            x + 16.0,
            subject.name()
        );
        x += 110.0;
    }
    for (n, figure) in figures.iter().enumerate() {
        bars(&mut text, figure, 34.0 + n as f64 * (3.0 * BAR + GAP));
    }
    text.push_str("</svg>\n");
    text
}

fn bars(text: &mut String, figure: &Figure, top: f64) {
    let limit = figure.median(Subject::Forward);
    let scale = WIDTH - LEFT - RIGHT;
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        LEFT - 8.0,
        top + 1.5 * BAR + 4.0,
        figure.name
    );
    for (n, (subject, colour)) in Subject::ALL.into_iter().zip(COLOURS).enumerate() {
        let (y, value) = (top + n as f64 * BAR, figure.median(subject));
        let width = (value / limit).clamp(0.0, 1.1) * scale;
        let _ = writeln!(
            text,
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"9\">{} ({:.2})</text>",
            BAR - 2.0,
            LEFT + width + 4.0,
            y + 8.5,
            figure.kind.say(value),
            value / limit
        );
    }
    if let Some(floor) = figure.floor {
        let x = LEFT + floor * scale;
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"#dc2626\" stroke-dasharray=\"2 2\"/>",
            top - 2.0,
            top + 3.0 * BAR
        );
    }
}
