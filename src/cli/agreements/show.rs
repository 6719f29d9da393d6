//! `kassebro agreements show`: everything of one agreement, for people and for machines.

use jiff::civil::Date;
use serde::Serialize;

use super::{Failure, Line, Output, line, parties, words};
use crate::{
    config::{Settings, calendar::calendars, promise::Also, settings},
    domain::{
        self,
        agreement::{Clauses, Group, KindRules, OutsideValidity, Particulars, Phase},
        sla::DELIVERED,
    },
};

/// One agreement in full.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    line: Line,
    #[serde(flatten)]
    particulars: Particulars,
    under: Option<String>,
    /// It gives way to every other agreement.
    framework: bool,
    /// `null`: the general setting.
    outside_validity: Option<OutsideValidity>,
    promises: Vec<PromiseLine>,
    groups: Vec<Group>,
    phases: Vec<Phase>,
    /// The clause that leaves out citizens under the jobcenter's special effort.
    special_effort: Option<String>,
    rules: std::collections::BTreeMap<String, KindRules>,
    clauses: Clauses,
}

#[derive(Debug, Serialize)]
struct PromiseLine {
    kind: String,
    promise: String,
    within: String,
    /// What its clock goes by, and until what it runs; `null` of being delivered.
    clock: Option<String>,
    /// `agreement`, or `general` where the agreement says nothing of the kind.
    from: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    clause: String,
    /// The second way, and from when on it is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<SecondWay>,
}

#[derive(Debug, Serialize)]
struct SecondWay {
    receiver: String,
    at: String,
    /// Where the forecast says that the first will be late: from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    when_predicted: Option<String>,
}

/// Shows it as it stands on a day.
pub(super) fn show(
    output: &Output,
    settings: &Settings,
    agreement: &settings::Agreement,
    day: Date,
) -> Result<(), Failure> {
    let shown = shown(settings, agreement, day)?;
    if output.json {
        output.value(&shown);
    } else {
        print(output, &shown);
    }
    Ok(())
}

fn shown(settings: &Settings, agreement: &settings::Agreement, day: Date) -> Result<Shown, Failure> {
    let calendars = calendars(settings).map_err(Failure::configuration)?;
    let built = agreement.build(&calendars).map_err(Failure::configuration)?;
    let promises = crate::kinds::KINDS.iter().map(|kind| kind.name).filter(|kind| built.takes(kind));
    let promises = promises.flat_map(|kind| promised(settings, agreement, kind)).collect();
    let domain::Agreement {
        under,
        framework,
        outside_validity,
        groups,
        phases,
        special_effort,
        rules,
        clauses,
        particulars,
        ..
    } = built;
    Ok(Shown {
        line: line(agreement, day),
        particulars,
        under,
        framework,
        outside_validity,
        promises,
        groups,
        phases,
        special_effort,
        rules,
        clauses,
    })
}

/// What a message of the kind is promised under the agreement: by its own word, or in general.
fn promised(settings: &Settings, agreement: &settings::Agreement, kind: &str) -> Vec<PromiseLine> {
    let line =
        |promise: &str, within: &dyn std::fmt::Display, calendar: Option<&String>, clause: Option<&str>| {
            let counted = calendar.map_or_else(String::new, |calendar| format!(" by {calendar}"));
            PromiseLine {
                kind: kind.to_owned(),
                promise: promise.to_owned(),
                within: format!("{within}{counted}"),
                clock: None,
                from: if clause.is_some() { "agreement" } else { "general" },
                clause: clause.unwrap_or_default().to_owned(),
                fallback: None,
            }
        };
    let own = agreement.promises.get(kind);
    let general = settings.promise.get(kind).or_else(|| settings.promise.get("default"));
    let delivered = own.and_then(|own| Some((own, own.within.as_ref()?)));
    let mut lines = vec![match (delivered, general) {
        (Some((own, within)), _) => line(DELIVERED, within, own.calendar.as_ref(), Some(&own.clause)),
        (None, Some(general)) => line(DELIVERED, &general.within, general.calendar.as_ref(), None),
        (None, None) => line(DELIVERED, &"", None, None),
    }];
    let fallback = own.and_then(|own| own.fallback.as_ref());
    lines[0].fallback = fallback.map(|way| SecondWay {
        receiver: way.receiver.clone(),
        at: way.at.clone(),
        when_predicted: way.when_predicted().ok().flatten().map(|at| at.to_string()),
    });
    let also = own.map_or(&[][..], |own| &own.also);
    for promise in general.into_iter().flat_map(|general| &general.also) {
        if !also.iter().any(|own| own.name == promise.name) {
            let told = line(&promise.name, &promise.within, promise.calendar.as_ref(), None);
            lines.push(PromiseLine { clock: Some(clock(promise)), ..told });
        }
    }
    for promise in also {
        let clause = own.filter(|_| promise.clause.is_empty()).map_or(&promise.clause, |own| &own.clause);
        let told = line(&promise.name, &promise.within, promise.calendar.as_ref(), Some(clause));
        lines.push(PromiseLine { clock: Some(clock(promise)), ..told });
    }
    lines
}

/// What the clock of a promise goes by, and what stops it.
fn clock(promise: &Also) -> String {
    let stops = match promise.count {
        Some(count) if count > 1 => format!("{count} × {}", promise.stops),
        _ => promise.stops.clone(),
    };
    format!("{}, until {stops}", promise.starts)
}

fn print(output: &Output, shown: &Shown) {
    print_head(output, shown);
    output.heading("Promises");
    let columns = ["kind", "promise", "within", "clock", "said by", "clause", "second way"];
    output.list(&shown.promises, &columns, |p| {
        let by = if p.from == "agreement" { "this agreement" } else { "the general promise" };
        let second = p.fallback.as_ref().map(|way| {
            let early = way.when_predicted.as_ref();
            let early =
                early.map_or_else(String::new, |from| format!(", from {from} on if the first will be late"));
            format!("{} at {}{early}", way.receiver, way.at)
        });
        let second = second.unwrap_or_else(|| "-".to_owned());
        let clock = p.clock.clone().unwrap_or_else(|| "until the receiver has it".to_owned());
        vec![
            p.kind.clone(),
            p.promise.clone(),
            p.within.clone(),
            clock,
            by.to_owned(),
            p.clause.clone(),
            second,
        ]
    });
    print_whom(output, shown);
    print_rules(output, shown);
    print_particulars(output, &shown.particulars);
}

fn print_head(output: &Output, shown: &Shown) {
    let Line { id, akasser, jobcenters, valid_from, valid_to, standing, .. } = &shown.line;
    output.line(format_args!("Agreement  {id}"));
    if !shown.particulars.title.is_empty() {
        output.line(format_args!("Title      {}", shown.particulars.title));
    }
    let (akasser, jobcenters) = (parties(akasser, "every a-kasse"), parties(jobcenters, "every jobcenter"));
    output.line(format_args!("Between    {akasser} and {jobcenters}"));
    let last = valid_to.map_or_else(|| "terminated".to_owned(), |d| d.to_string());
    output.line(format_args!("Valid      {valid_from} until {last}: {}", words(standing)));
    let outside = match shown.outside_validity {
        None => "as the general setting says",
        Some(OutsideValidity::Refuse) => "refused",
        Some(OutsideValidity::Flag) => "carried with a warning",
        Some(OutsideValidity::Hold) => "taken and held",
    };
    output.line(format_args!("Outside    {outside}; complaints are carried"));
    if let Some(under) = &shown.under {
        output.line(format_args!("Under      {under}"));
    }
    if shown.framework {
        output.line("Framework  it gives way to every other agreement between the same parties");
    }
    for (title, id) in [
        ("Framework", &shown.particulars.framework_id),
        ("Sub-agreement", &shown.particulars.sub_agreement_id),
    ] {
        if let Some(id) = id {
            output.line(format_args!("{title}  {id}"));
        }
    }
    for (title, clause) in [("Validity", &shown.clauses.validity), ("Kinds", &shown.clauses.kinds)] {
        if !clause.is_empty() {
            output.line(format_args!("{title} by  {clause}"));
        }
    }
}

fn print_whom(output: &Output, shown: &Shown) {
    if !shown.groups.is_empty() {
        output.heading("Target groups");
        output.list(&shown.groups, &["group", "ages", "placed for", "clause"], |g| {
            let limit = g.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            vec![g.code.clone(), g.ages(), limit, g.clause.clone()]
        });
    }
    if let Some(clause) = &shown.special_effort {
        output.line(format_args!("Left out: citizens under the jobcenter's special effort ({clause})"));
    }
    if !shown.phases.is_empty() {
        output.heading("Phases");
        output.list(&shown.phases, &["phase", "from", "kinds", "groups", "clause"], |p| {
            let (kinds, groups) = (p.kinds.join(", "), p.groups.join(", "));
            vec![p.name.clone(), p.from.to_string(), kinds, groups, p.clause.clone()]
        });
    }
}

fn print_rules(output: &Output, shown: &Shown) {
    let ways: Vec<_> = shown
        .rules
        .iter()
        .filter(|(_, rules)| rules.format.is_some() || !rules.channels.is_empty())
        .collect();
    if !ways.is_empty() {
        output.heading("The only way");
        output.list(&ways, &["kind", "format", "channels", "clause"], |(kind, rules)| {
            let format = rules.format.map_or("-", domain::Format::name).to_owned();
            vec![(*kind).clone(), format, super::joined(&rules.channels, "any"), rules.clause.clone()]
        });
    }
    let fields: Vec<_> =
        shown.rules.iter().flat_map(|(kind, rules)| rules.fields.iter().map(move |f| (kind, f))).collect();
    if !fields.is_empty() {
        output.heading("Fields");
        output.list(&fields, &["kind", "field", "demanded", "otherwise", "clause"], |(kind, field)| {
            let otherwise = if field.severity == domain::Severity::Error { "refused" } else { "warned" };
            vec![
                (*kind).clone(),
                field.pointer.clone(),
                field.demanded(),
                otherwise.to_owned(),
                field.clause.clone(),
            ]
        });
    }
}

fn print_particulars(output: &Output, particulars: &Particulars) {
    let Particulars { notice, contacts, cadences, caps, targets, .. } = particulars;
    if let Some(notice) = notice {
        output.heading("Notice");
        let breach = notice.breach.map_or_else(String::new, |period| format!("; on breach {period}"));
        output.line(format_args!("{}{breach} ({})", notice.ordinary, notice.clause));
    }
    if !caps.is_empty() {
        output.heading("Caps, for each a-kasse and year");
        output.list(caps, &["kroner", "kinds", "account", "clause"], |cap| {
            let kroner = cap.kroner.map_or_else(|| "set each year".to_owned(), |kroner| kroner.to_string());
            vec![kroner, cap.kinds.join(", "), cap.account.clone().unwrap_or_default(), cap.clause.clone()]
        });
    }
    if !targets.is_empty() {
        output.heading("Targets");
        output.list(targets, &["what", "at least", "measured", "clause"], |target| {
            let own = if target.at_least_own { " and the jobcenter's own" } else { "" };
            let measured = if target.of.is_some() { "sla report" } else { "-" };
            let least = format!("{} %{own}", target.at_least_percent);
            vec![target.what.clone(), least, measured.to_owned(), target.clause.clone()]
        });
    }
    if !cadences.is_empty() {
        output.heading("Meetings and reports");
        output.list(cadences, &["what", "every", "from", "until", "clause"], |cadence| {
            let day = |day: Option<Date>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
            vec![
                cadence.what.clone(),
                cadence.every.to_string(),
                day(cadence.from),
                day(cadence.until),
                cadence.clause.clone(),
            ]
        });
    }
    if !contacts.is_empty() {
        output.heading("Contacts");
        output.list(contacts, &["of", "e-mail", "EAN", "clause"], |contact| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            vec![contact.of.clone(), text(&contact.email), text(&contact.gln), contact.clause.clone()]
        });
    }
}
