//! An agreement as people write it, and what it comes to.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    calendar::Calendars,
    promise::{self, Also},
};
use crate::domain::{
    self, Party,
    agreement::{
        Agreed, Cadence, Cap, Clauses, Contact, Group, KindRules, Notice, OutsideValidity, Particulars,
        Phase, Side, Target,
    },
    ladder::At,
    party::PartyKind,
    sla::Starts,
};

/// Stands in a list of parties for every one of that side.
pub const EVERY: &str = "*";

/// One `[[agreement]]`. Its sides are named by one code (`akasse`, `jobcenter`) or by several.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub akasse: Option<String>,
    #[serde(default)]
    pub akasser: Vec<String>,
    pub jobcenter: Option<String>,
    #[serde(default)]
    pub jobcenters: Vec<String>,
    pub valid_from: Date,
    pub valid_to: Option<Date>,
    pub outside_validity: Option<OutsideValidity>,
    pub under: Option<String>,
    #[serde(default)]
    pub framework: bool,
    pub framework_id: Option<String>,
    pub sub_agreement_id: Option<String>,
    #[serde(default)]
    pub kinds: Vec<String>,
    #[serde(default)]
    pub promises: BTreeMap<String, AgreedPromise>,
    #[serde(default)]
    pub clauses: Clauses,
    pub special_effort: Option<SpecialEffort>,
    pub notice: Option<Notice>,
    #[serde(default, rename = "group")]
    pub groups: Vec<Group>,
    #[serde(default, rename = "phase")]
    pub phases: Vec<Phase>,
    #[serde(default)]
    pub rules: BTreeMap<String, KindRules>,
    #[serde(default, rename = "contact")]
    pub contacts: Vec<Contact>,
    #[serde(default, rename = "cadence")]
    pub cadences: Vec<Cadence>,
    #[serde(default, rename = "cap")]
    pub caps: Vec<Cap>,
    #[serde(default, rename = "target")]
    pub targets: Vec<Target>,
}

/// Citizens under the jobcenter's special effort are left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialEffort {
    pub clause: String,
}

/// A promise: `"48h"`, or a table where its clause stands with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct AgreedPromise {
    /// `None`: the general promise stays.
    pub within: Option<String>,
    /// By what the time is counted; elapsed time where nothing is said.
    pub calendar: Option<String>,
    pub clause: String,
    /// What else is promised. One of a name that is promised in general too takes its place.
    pub also: Vec<Also>,
    /// The second way, tried when the first endangers the promise.
    pub fallback: Option<Fallback>,
}

/// A second way as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    pub receiver: String,
    /// `75%` or `4h left`.
    pub at: String,
    /// The same, or [`NEVER`]; half of the time where nothing is said and that comes before.
    pub when_predicted: Option<String>,
}

/// Where a forecast lets nothing go.
pub const NEVER: &str = "never";
/// From when on a forecast lets a second way go.
const HALF: At = At::Share(50);

impl Fallback {
    /// From when on a forecast lets it go.
    ///
    /// # Errors
    /// What is written is no step.
    pub fn when_predicted(&self) -> Result<Option<At>, String> {
        match self.when_predicted.as_deref() {
            None => Ok(self.at.parse().ok().filter(|at| HALF.is_before(*at)).map(|_| HALF)),
            Some(NEVER) => Ok(None),
            Some(at) => at.parse().map(Some),
        }
    }
}

impl TryFrom<toml::Value> for AgreedPromise {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            within: Option<String>,
            calendar: Option<String>,
            #[serde(default)]
            clause: String,
            #[serde(default)]
            also: Vec<Also>,
            fallback: Option<Fallback>,
        }
        match value {
            toml::Value::String(within) => {
                let (also, clause) = (vec![], String::new());
                Ok(Self { within: Some(within), calendar: None, clause, also, fallback: None })
            }
            table => {
                let whole: Whole = table.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
                let Whole { within, calendar, clause, also, fallback } = whole;
                Ok(Self { within, calendar, clause, also, fallback })
            }
        }
    }
}

impl AgreedPromise {
    fn build(&self, agreement: &str, calendars: &Calendars) -> Result<Agreed, String> {
        let basis = |clause: &str| {
            let comma = if clause.is_empty() { "" } else { ", " };
            format!("agreement {agreement}{comma}{clause}")
        };
        let within = self.within.as_deref().map(str::parse).transpose()?;
        let calendar = self.calendar.as_deref();
        let delivered = within.map(|within| {
            promise::delivered(within, calendar, &Starts::Occurred, basis(&self.clause), calendars)
        });
        let further = self.also.iter().map(|also| {
            let clause = if also.clause.is_empty() { &self.clause } else { &also.clause };
            also.build(basis(clause), calendars)
        });
        let further = further.collect();
        let fallback = self.fallback.as_ref().map(|fallback| {
            let at = fallback.at.parse()?;
            let when_predicted = fallback.when_predicted()?;
            Ok::<_, String>(domain::agreement::Fallback {
                receiver: fallback.receiver.clone(),
                at,
                when_predicted,
            })
        });
        Ok(Agreed { delivered, further, fallback: fallback.transpose()? })
    }
}

impl Agreement {
    /// The codes of its a-kasser, or [`EVERY`].
    pub fn akasse_codes(&self) -> impl Iterator<Item = &String> {
        self.akasse.iter().chain(&self.akasser)
    }

    /// The codes of its jobcenters, or [`EVERY`].
    pub fn jobcenter_codes(&self) -> impl Iterator<Item = &String> {
        self.jobcenter.iter().chain(&self.jobcenters)
    }

    /// What it comes to.
    ///
    /// # Errors
    /// A code that is no party's, a promise that is no duration.
    pub fn build(&self, calendars: &Calendars) -> Result<domain::Agreement, String> {
        let akasser = side(PartyKind::Akasse, self.akasse_codes())?;
        let jobcenters = side(PartyKind::Jobcenter, self.jobcenter_codes())?;
        let promises = self
            .promises
            .iter()
            .map(|(kind, promise)| Ok((kind.clone(), promise.build(&self.id, calendars)?)));
        Ok(domain::Agreement {
            valid_to: self.valid_to,
            under: self.under.clone(),
            framework: self.framework,
            outside_validity: self.outside_validity,
            kinds: self.kinds.clone(),
            promises: promises.collect::<Result<_, String>>()?,
            groups: self.groups.clone(),
            phases: self.phases.clone(),
            special_effort: self.special_effort.as_ref().map(|effort| effort.clause.clone()),
            rules: self.rules.clone(),
            clauses: self.clauses.clone(),
            particulars: Particulars {
                title: self.title.clone(),
                framework_id: self.framework_id.clone(),
                sub_agreement_id: self.sub_agreement_id.clone(),
                notice: self.notice.clone(),
                contacts: self.contacts.clone(),
                cadences: self.cadences.clone(),
                caps: self.caps.clone(),
                targets: self.targets.clone(),
            },
            ..domain::Agreement::new(self.id.clone(), akasser, jobcenters, self.valid_from)
        })
    }
}

fn side<'a>(kind: PartyKind, codes: impl Iterator<Item = &'a String>) -> Result<Side, String> {
    let mut parties = Vec::new();
    for code in codes {
        if code == EVERY {
            return Ok(Side::Every(kind));
        }
        parties.push(Party::from_code(code).map_err(|e| format!("{code}: {e}"))?);
    }
    Ok(Side::These(parties))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_a_duration_or_a_table_that_knows_no_other_key() {
        let read = |toml: &str| {
            toml::from_str::<BTreeMap<String, AgreedPromise>>(toml)
                .map(|mut all| all.remove("p").expect("it is there"))
        };
        assert_eq!(read("p = \"48h\"").unwrap().within.as_deref(), Some("48h"));
        let whole = read("p = { within = \"24h\", clause = \"Klagesagsbehandling\" }").unwrap();
        assert_eq!((whole.within.as_deref(), &*whole.clause), (Some("24h"), "Klagesagsbehandling"));
        let wrong = read("p = { within = \"24h\", claus = \"x\" }").unwrap_err().to_string();
        assert!(wrong.contains("unknown field `claus`"), "{wrong}");
    }

    #[test]
    fn either_way_of_naming_parties_comes_to_the_same() {
        let build = |parties: &str| {
            let text = format!("id = \"a\"\nvalid_from = \"2024-01-01\"\n{parties}");
            toml::from_str::<Agreement>(&text).unwrap().build(&Calendars::new()).unwrap()
        };
        let one = build("akasse = \"3f\"\njobcenter = \"0101\"");
        assert_eq!(one, build("akasser = [\"3f\"]\njobcenters = [\"0101\"]"));
        let every = build("akasser = [\"*\"]\njobcenters = [\"0101\"]");
        assert_eq!(every.akasser, Side::Every(PartyKind::Akasse));
    }
}
