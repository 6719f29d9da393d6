//! What a notice of alerts is called, and why one comes.

/// The CloudEvents `type` of a notice.
pub const EVENT_TYPE: &str = "dk.kassebro.alert.v1";

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Changes,
    /// It is open still.
    Repeat,
    /// Nothing is wrong with the telling.
    Heartbeat,
    /// A person tries it out.
    Test,
}

impl Reason {
    pub const ALL: [Self; 4] = [Self::Changes, Self::Repeat, Self::Heartbeat, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Repeat => "repeat",
            Self::Heartbeat => "heartbeat",
            Self::Test => "test",
        }
    }
}
