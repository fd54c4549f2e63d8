//! One way: its files, the steps that put them in force, and the check that follows.

/// Everything that a person needs for one way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// One word for whose way it is.
    pub target: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// When to take it, and what it cannot do.
    pub when: String,
    /// To be written into one folder.
    pub files: Vec<Output>,
    /// In order.
    pub steps: Vec<Step>,
    /// What shows that it works.
    pub check: Check,
    /// How it is taken back.
    pub undo: Vec<Step>,
}

/// A file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// Below the folder; `/` between its parts.
    pub path: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// As it stands; lines end as the program that reads it wants them.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

impl Content {
    /// The file's octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Octets(octets) => octets,
        }
    }
}

impl Output {
    pub(crate) fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), content: Content::Text(text.into()) }
    }

    pub(crate) fn octets(path: impl Into<String>, octets: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Content::Octets(octets.into()) }
    }
}

/// Something to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// In words; where and as whom.
    pub what: String,
    /// Commands, one each; may be empty.
    pub commands: Vec<String>,
}

impl Step {
    pub(crate) fn new<T: Into<String>>(
        what: impl Into<String>,
        commands: impl IntoIterator<Item = T>,
    ) -> Self {
        Self { what: what.into(), commands: commands.into_iter().map(Into::into).collect() }
    }

    /// Something that no command does.
    pub(crate) fn by_hand(what: impl Into<String>) -> Self {
        Self { what: what.into(), commands: Vec::new() }
    }
}

/// What shows that a way works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Commands on the host.
    pub run: Vec<String>,
    /// What they say when it works.
    pub good: Vec<String>,
    /// What they say when it does not.
    pub bad: Vec<Sign>,
}

/// A bad result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sign {
    /// What is seen.
    pub seen: String,
    /// Why, and what to do.
    pub means: String,
}

impl Sign {
    pub(crate) fn new(seen: impl Into<String>, means: impl Into<String>) -> Self {
        Self { seen: seen.into(), means: means.into() }
    }
}
