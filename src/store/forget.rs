//! What the store forgets: first the content of messages, later the messages. In slices, so that nobody waits for it.

use jiff::Timestamp;

/// One slice of forgetting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forget {
    pub what: Stage,
    /// Messages that came before this.
    pub before: Timestamp,
    /// Messages looked at in this slice.
    pub most: u32,
}

/// What is forgotten. A message that still owes something is passed over, and looked at again as one of
/// [`Stage::Lasting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The bytes of messages as they came and as they were delivered, oldest first, on from where the last slice
    /// ended.
    Content,
    /// The messages themselves with all that was written of them, and their identities.
    Messages,
    /// Messages that owed something when their time came, on from the number `after`: their content, and all of those
    /// that came before `whole_before`.
    Lasting { after: i64, whole_before: Option<Timestamp> },
}

/// What a slice did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Messages forgotten, or their content.
    pub count: u64,
    /// The message looked at last; `None` where there was none left to look at.
    pub last: Option<i64>,
}

/// The cursor of a stage.
pub(super) fn cursor(stage: Stage) -> &'static str {
    match stage {
        Stage::Content | Stage::Lasting { .. } => "forget/content",
        Stage::Messages => "forget/messages",
    }
}
