//! How open promises stand, and what people gave up of them: counted for monitoring.

/// Promises that are neither met nor ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenPromises {
    /// Before the step from which they are at risk, and running.
    pub on_track: i64,
    /// Their clocks stand still.
    pub paused: Vec<Paused>,
}

/// Promises of one kind to one receiver whose clocks stand still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// With its version.
    pub kind: String,
    pub receiver: String,
    pub count: i64,
}

/// What a person waived of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waived {
    /// Its place in the audit.
    pub seq: i64,
    /// With its version.
    pub kind: String,
    pub receiver: String,
    /// How many promises.
    pub count: i64,
}
