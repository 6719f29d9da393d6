//! A report as sheets: columns with names for programs and for people, rows of cells. Every form is made of these.

use std::iter::Peekable;

use super::model::{Figures, Measured, Rate, Share};
use crate::domain::MunicipalityCode;

/// Danish and English.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) da: &'static str,
    pub(super) en: &'static str,
}

const fn words(da: &'static str, en: &'static str) -> Words {
    Words { da, en }
}

#[derive(Clone, Copy)]
pub(super) struct Column {
    /// The name in CSV.
    pub(super) name: &'static str,
    pub(super) words: Words,
}

const fn column(name: &'static str, da: &'static str, en: &'static str) -> Column {
    Column { name, words: words(da, en) }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    Jobcenter(String),
    /// A kind of interview.
    Interview(String),
    Count(u64),
    Share(Option<Share>),
    /// Percent; `None`: no target.
    Goal(Option<u8>),
    /// Seconds; `None`: more than a year.
    Span(Option<i64>),
    /// A mark, or nothing; `None`: nothing is measured.
    Mark(Option<bool>),
}

/// Rows are made while they are written: there may be very many.
pub(super) type Rows<'a> = Peekable<Box<dyn Iterator<Item = Vec<Cell>> + 'a>>;

fn rows<'a>(rows: impl Iterator<Item = Vec<Cell>> + 'a) -> Rows<'a> {
    (Box::new(rows) as Box<dyn Iterator<Item = Vec<Cell>> + 'a>).peekable()
}

pub(super) struct Sheet<'a> {
    pub(super) table: Table,
    pub(super) title: Words,
    /// What is said where there is no row.
    pub(super) none: Words,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Rows<'a>,
}

/// The sheets by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Table {
    /// A-kasse at jobcenter, over the whole period.
    Summary,
    /// The same by month and kind of interview.
    Timeliness,
    /// The jobcenters' own interviews.
    Own,
    /// How promises stand.
    Outcomes,
    /// Messages by kind and way.
    Volumes,
    /// How late messages come to us.
    Senders,
    /// How long decisions take.
    Decisions,
}

const HELD: [Column; 4] = [
    column("held", "Afholdt", "held"),
    column("in_time", "Rettidigt", "in time"),
    column("not_held", "Ikke afholdt", "not held"),
    column("share_percent", "Rettidighed", "share"),
];
const GOAL: [Column; 5] = [
    column("goal_percent", "Mål", "goal"),
    column("goal_agreement", "Aftale", "agreement"),
    column("below_goal", "Under mål", "below goal"),
    column("own_share_percent", "Jobcentrets egen", "jobcenter's own"),
    column("below_own", "Under jobcentret", "below own"),
];
const JOBCENTER: Column = column("jobcenter", "Jobcenter", "jobcenter");
const AKASSE: Column = column("akasse", "A-kasse", "a-kasse");
const MONTH: Column = column("month", "Måned", "month");
const INTERVIEW: Column = column("interview", "Samtale", "interview");
const KIND: Column = column("kind", "Beskedtype", "kind");
const PARTY: Column = column("party", "Part", "party");
const MEDIAN: Column = column("median_seconds", "Halvdelen inden for", "half within");
const P95: Column = column("p95_seconds", "95 % inden for", "95 % within");

impl Figures {
    /// All sheets, in the order in which they are read.
    pub(super) fn sheets(&self) -> Vec<Sheet<'_>> {
        vec![
            self.summary_sheet(),
            self.timeliness_sheet(),
            self.own_sheet(),
            self.outcomes_sheet(),
            self.volumes_sheet(),
            self.senders_sheet(),
            self.decisions_sheet(),
        ]
    }

    fn summary_sheet(&self) -> Sheet<'_> {
        let rows = self.summary.iter().map(|line| {
            let mut row = vec![Cell::Jobcenter(line.jobcenter.clone()), text(&line.akasse)];
            row.extend(measured(&line.measured));
            row
        });
        Sheet {
            table: Table::Summary,
            title: words("Rettidige samtaler i perioden", "Interviews in time over the period"),
            none: words(
                "Ingen samtaler er registreret i perioden.",
                "No interviews were recorded for the period.",
            ),
            columns: [&[JOBCENTER, AKASSE][..], &HELD, &GOAL].concat(),
            rows: self::rows(rows),
        }
    }

    fn timeliness_sheet(&self) -> Sheet<'_> {
        let rows = self.timeliness().map(|line| {
            let mut row = vec![
                text(&line.month.to_string()),
                Cell::Jobcenter(line.jobcenter.clone()),
                text(&line.akasse),
                Cell::Interview(line.interview.clone()),
            ];
            row.extend(measured(&line.measured));
            row
        });
        Sheet {
            table: Table::Timeliness,
            title: words(
                "Rettidige samtaler pr. måned og samtaletype",
                "Interviews in time by month and kind",
            ),
            none: words(
                "Ingen samtaler er registreret i perioden.",
                "No interviews were recorded for the period.",
            ),
            columns: [&[MONTH, JOBCENTER, AKASSE, INTERVIEW][..], &HELD, &GOAL].concat(),
            rows: self::rows(rows),
        }
    }

    fn own_sheet(&self) -> Sheet<'_> {
        let rows = self.own().map(|line| {
            let mut row = vec![
                text(&line.month.to_string()),
                Cell::Jobcenter(line.jobcenter.clone()),
                Cell::Interview(line.interview.clone()),
            ];
            row.extend(held(&line.held));
            row
        });
        Sheet {
            table: Table::Own,
            title: words("Jobcentrenes egne samtaler", "The jobcenters' own interviews"),
            none: words(
                "Ingen jobcentre har registreret egne samtaler i perioden.",
                "No jobcenter recorded interviews of its own for the period.",
            ),
            columns: [&[MONTH, JOBCENTER, INTERVIEW][..], &HELD].concat(),
            rows: self::rows(rows),
        }
    }

    fn outcomes_sheet(&self) -> Sheet<'_> {
        let rows = self.outcomes.iter().map(|line| {
            let agreement = line.agreement.as_deref().unwrap_or_default();
            let mut row = vec![text(agreement), text(&line.kind), text(&line.promise)];
            row.extend(
                [line.met, line.met_late, line.breached, line.open, line.waived, line.ended].map(Cell::Count),
            );
            row
        });
        Sheet {
            table: Table::Outcomes,
            title: words("Frister pr. aftale, beskedtype og løfte", "Promises by agreement, kind and name"),
            none: words("Intet er lovet i perioden.", "Nothing was promised in the period."),
            columns: vec![
                column("agreement", "Aftale", "agreement"),
                KIND,
                column("promise", "Løfte", "promise"),
                column("met", "Overholdt", "met"),
                column("met_late", "Leveret for sent", "met late"),
                column("breached", "Overskredet", "breached"),
                column("open", "Åben", "open"),
                column("waived", "Frafaldet", "waived"),
                column("ended", "Afsluttet uden levering", "ended"),
            ],
            rows: self::rows(rows),
        }
    }

    fn volumes_sheet(&self) -> Sheet<'_> {
        let rows = self.volumes.iter().map(|line| {
            vec![
                text(line.kind.as_deref().unwrap_or_default()),
                text(&line.way),
                Cell::Count(line.accepted),
                Cell::Count(line.refused),
            ]
        });
        Sheet {
            table: Table::Volumes,
            title: words("Beskeder pr. type og vej", "Messages by kind and way"),
            none: words("Ingen beskeder er modtaget i perioden.", "No messages were received in the period."),
            columns: vec![
                KIND,
                column("way", "Vej", "way"),
                column("accepted", "Modtaget", "accepted"),
                column("refused", "Afvist", "refused"),
            ],
            rows: self::rows(rows),
        }
    }

    fn senders_sheet(&self) -> Sheet<'_> {
        let rows = self.senders.iter().map(|line| {
            vec![
                text(&line.party),
                text(&line.kind),
                Cell::Count(line.messages),
                Cell::Span(line.median_seconds),
                Cell::Span(line.p95_seconds),
                Cell::Count(line.half_used),
            ]
        });
        Sheet {
            table: Table::Senders,
            title: words("Fra hændelse til modtagelse hos Kassebro", "From the event to us"),
            none: words("Ingen beskeder er modtaget i perioden.", "No messages were received in the period."),
            columns: vec![
                PARTY,
                KIND,
                column("messages", "Beskeder", "messages"),
                MEDIAN,
                P95,
                column("half_used", "Over halvdelen af fristen brugt", "over half used"),
            ],
            rows: self::rows(rows),
        }
    }

    fn decisions_sheet(&self) -> Sheet<'_> {
        let rows = self.decisions.iter().map(|line| {
            vec![
                text(&line.party),
                text(&line.kind),
                Cell::Count(line.messages),
                Cell::Count(line.granted),
                Cell::Count(line.refused),
                Cell::Span(line.median_seconds),
                Cell::Span(line.p95_seconds),
            ]
        });
        Sheet {
            table: Table::Decisions,
            title: words("Fra modtagelse til afgørelse", "From acceptance to decision"),
            none: words("Ingen afgørelser i perioden.", "No decisions upon messages of the period."),
            columns: vec![
                PARTY,
                KIND,
                column("messages", "Beskeder", "messages"),
                column("granted", "Bevilget", "granted"),
                column("refused", "Afslag", "refused"),
                MEDIAN,
                P95,
            ],
            rows: self::rows(rows),
        }
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn held(held: &Rate) -> Vec<Cell> {
    vec![
        Cell::Count(held.held),
        Cell::Count(held.in_time),
        Cell::Count(held.not_held),
        Cell::Share(held.share),
    ]
}

fn measured(measured: &Measured) -> Vec<Cell> {
    let mut cells = held(&measured.held);
    cells.extend([
        Cell::Goal(measured.goal_percent),
        text(measured.goal_agreement.as_deref().unwrap_or_default()),
        Cell::Mark(measured.below_goal),
        Cell::Share(measured.own_share),
        Cell::Mark(measured.below_own),
    ]);
    cells
}

/// The jobcenter's code with its municipality's name.
pub(super) fn jobcenter(code: &str) -> String {
    let name = code.parse::<MunicipalityCode>().map_or("", |code| code.name());
    format!("{code} {name}").trim_end().to_owned()
}

/// The kinds of interview that are known, in Danish; any other is its code.
pub(super) fn interview(code: &str) -> &str {
    match code {
        "jobInterview" => "Jobsamtale",
        "referral" => "Henvisning",
        "informationMeeting" => "Informationsmøde",
        "cvInterview" => "CV-samtale",
        "placementInterview" => "Formidlingssamtale",
        "other" => "Anden samtale",
        "voluntaryInformationMeeting" => "Informationsmøde uden mødepligt",
        "availabilityInterview" => "Rådighedssamtale",
        "jobInterviewWithAkasse" => "Jobsamtale med a-kasse",
        "jointInterview" => "Fælles jobsamtale",
        "trialInterview" => "A-kassens forsøgssamtale",
        "sicknessInterview" => "Sygefraværssamtale",
        code => code,
    }
}
