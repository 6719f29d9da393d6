//! How the matter of a message stands at the jobcenter: what return messages say of it, one after another.
//!
//! Norddjurs agreement, "Behandling af indstillinger": received, under process, granted or refused or sent back
//! for more, the activity created, and published to the citizen. Complaints and job orders use the same words.

use serde::{Deserialize, Serialize};

use super::{DeliveryId, Fault};

/// Where a matter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Modtaget
    Received,
    /// Under behandling
    InProcess,
    /// Mangler oplysninger
    Incomplete,
    /// Bevilget; for a complaint: medhold
    Granted,
    /// Aktivitet oprettet
    ActivityCreated,
    /// Afslag
    Refused,
    /// Publiceret for borgeren
    Published,
    /// Afsluttet: nothing more is to come, whatever the outcome
    Closed,
}

/// What a return message does to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseStep {
    /// It is the new state.
    Moved,
    /// It says what is known already.
    Repeated,
    /// It says what was true before: it came late, and is kept and shown.
    Late,
    /// It says something else than the final state: kept and shown, and for a person to look at.
    Contradicts,
}

/// What a return message says of the message it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub state: CaseState,
    /// Why its receiver will not have it; `None`: it has it and takes it.
    pub refusal: Option<Fault>,
    /// The delivery that is meant, where it is named.
    pub delivery: Option<DeliveryId>,
    /// The receiver's own receipt id.
    pub receipt: Option<String>,
}

/// Who decides upon a message has it.
impl From<CaseState> for Said {
    fn from(state: CaseState) -> Self {
        Self { state, refusal: None, delivery: None, receipt: None }
    }
}

impl CaseState {
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::InProcess,
        Self::Incomplete,
        Self::Granted,
        Self::ActivityCreated,
        Self::Refused,
        Self::Published,
        Self::Closed,
    ];

    /// The word in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::InProcess => "in_process",
            Self::Incomplete => "incomplete",
            Self::Granted => "granted",
            Self::ActivityCreated => "activity_created",
            Self::Refused => "refused",
            Self::Published => "published",
            Self::Closed => "closed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Refused | Self::Published | Self::Closed)
    }

    /// It was granted or refused, or goes on from there. What is closed may never have been decided, and nothing is
    /// waited for any more.
    pub fn is_decided(self) -> bool {
        self.place() >= Self::Granted.place()
    }

    /// How far on the way it is. A matter that was incomplete goes on from where it was.
    fn place(self) -> u8 {
        match self {
            Self::Received => 0,
            Self::InProcess | Self::Incomplete => 1,
            Self::Granted => 2,
            Self::ActivityCreated => 3,
            Self::Refused | Self::Published | Self::Closed => 4,
        }
    }

    /// The state after a step from `now`.
    pub fn after(now: Option<Self>, said: Self) -> (CaseStep, Self) {
        match (Self::step(now, said), now) {
            (CaseStep::Moved, _) | (_, None) => (CaseStep::Moved, said),
            (step, Some(now)) => (step, now),
        }
    }

    /// What `said` does to a matter that stands at `now`; `None`: nothing was said yet.
    ///
    /// Never leaves a final state, and never goes back; between "under process" and "incomplete" a matter may go
    /// to and fro.
    pub fn step(now: Option<Self>, said: Self) -> CaseStep {
        let Some(now) = now else { return CaseStep::Moved };
        if now == said {
            return CaseStep::Repeated;
        }
        let granted = matches!(now, Self::Granted | Self::ActivityCreated);
        if now.is_final() {
            let before = said.place() < now.place() && !(now == Self::Refused && said.place() > 1);
            return if before { CaseStep::Late } else { CaseStep::Contradicts };
        }
        match said {
            Self::Refused if granted => CaseStep::Contradicts,
            _ if said.place() < now.place() => CaseStep::Late,
            _ => CaseStep::Moved,
        }
    }
}

#[cfg(test)]
mod tests {
    use CaseState::{ActivityCreated, Closed, Granted, InProcess, Incomplete, Published, Received, Refused};
    use CaseStep::{Contradicts, Late, Moved, Repeated};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_recommendation_goes_its_way_and_what_comes_late_changes_nothing() {
        for (now, said, step) in [
            (None, Granted, Moved),
            (Some(Received), InProcess, Moved),
            (Some(InProcess), Incomplete, Moved),
            (Some(Incomplete), InProcess, Moved),
            (Some(InProcess), Granted, Moved),
            (Some(Granted), ActivityCreated, Moved),
            (Some(ActivityCreated), Published, Moved),
            (Some(InProcess), Refused, Moved),
            (Some(Granted), Closed, Moved),
            (Some(Granted), Granted, Repeated),
            (Some(Granted), InProcess, Late),
            (Some(Published), Received, Late),
            (Some(Published), Granted, Late),
            (Some(Refused), InProcess, Late),
            (Some(Granted), Refused, Contradicts),
            (Some(Refused), Granted, Contradicts),
            (Some(Refused), Published, Contradicts),
            (Some(Published), Refused, Contradicts),
            (Some(Closed), Published, Contradicts),
        ] {
            assert_eq!(CaseState::step(now, said), step, "{now:?} {said:?}");
        }
    }

    fn any_state() -> impl Strategy<Value = CaseState> {
        proptest::sample::select(CaseState::ALL.as_slice())
    }

    proptest! {
        #[test]
        fn a_final_state_stays_and_nobody_goes_back(said in proptest::collection::vec(any_state(), 0..20)) {
            let mut now = None;
            for said in said {
                let moved = CaseState::step(now, said) == Moved;
                prop_assert!(!(moved && now.is_some_and(CaseState::is_final)));
                prop_assert!(!(moved && now.is_some_and(|now| said.place() < now.place())));
                if moved {
                    now = Some(said);
                }
            }
        }
    }

    #[test]
    fn every_state_is_read_by_its_name() {
        for state in CaseState::ALL {
            assert_eq!(CaseState::from_name(state.name()), Some(state));
        }
        assert_eq!(CaseState::from_name("lost"), None);
    }
}
