//! Configuration files: any text gives a checked value or faults, each with a place inside the text.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sixgate_config::{Report, Severity};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = Path::new("fuzz.toml");
    match sixgate_config::any(file, text) {
        Ok(checked) => {
            assert!(!checked.report.has_errors());
            places(&checked.report, text);
            // Nothing but the text decides.
            let again = sixgate_config::any(file, text).expect("valid a moment ago");
            assert_eq!(format!("{:?}", again.value), format!("{:?}", checked.value));
        }
        Err(report) => {
            assert!(report.has_errors(), "refused without an error");
            places(&report, text);
        }
    }
});

fn places(report: &Report, text: &str) {
    let lines = text.matches('\n').count() + 1;
    let mut before = (0, 0);
    for finding in report.findings() {
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.detail.is_empty(), "{finding:?}");
        assert!((finding.line, finding.column) >= before, "out of order: {finding:?}");
        before = (finding.line, finding.column);
    }
    let rendered = report.render();
    let errors = report.findings().iter().filter(|f| f.severity == Severity::Error).count();
    assert!(rendered.matches("error: ").count() >= errors);
}
