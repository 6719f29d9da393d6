//! `kassebro schemas`: the kinds, and the JSON Schema of each.

use serde::Serialize;

use super::{Context, Exit, Failure, Outcome};
use crate::{api::schemas, domain::Format, kinds};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every kind, who sends it, and what its receiver reads.
    #[command(after_help = "Example:\n  kassebro schemas list")]
    List,
    /// The JSON Schema of a kind's data, or of an answer.
    #[command(
        after_help = "Examples:\n  kassebro schemas show complaint\n  kassebro schemas show complaint.v1 > complaint.v1.json\n  \
                      kassebro schemas show answer\n\nExit codes: 0 done, 4 no such kind."
    )]
    Show {
        /// E.g. complaint, complaint.v1 or dk.kassebro.complaint.v1.
        kind: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    kind: String,
    event_type: String,
    title: &'static str,
    direction: &'static str,
    formats: Vec<&'static str>,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List => {
            let lines: Vec<Line> = kinds::KINDS.iter().map(|kind| line(kind)).collect();
            context.output.list(&lines, &["kind", "direction", "formats", "what it is"], |l| {
                vec![l.kind.clone(), l.direction.to_owned(), l.formats.join(", "), l.title.to_owned()]
            });
        }
        Command::Show { kind } => {
            let text = schema(&kind).ok_or_else(|| {
                Failure::not_found(format_args!(
                    "no kind is called {kind:?}; `kassebro schemas list` lists them"
                ))
            })?;
            context.output.raw(text.trim_end());
        }
    }
    Ok(Exit::Done)
}

/// Every format that a receiver may ask for, the kind's own first.
fn formats(kind: &kinds::Kind) -> Vec<&'static str> {
    let further = Format::ALL.into_iter().filter(|f| !kind.formats.contains(f) && kind.offers(*f));
    kind.formats.iter().copied().chain(further).map(Format::name).collect()
}

fn line(kind: &kinds::Kind) -> Line {
    Line {
        kind: kind.id().to_string(),
        event_type: kind.id().event_type(),
        title: kind.title,
        direction: kind.direction.text(),
        formats: formats(kind),
    }
}

/// The schema's text. A name without a version is the newest version's.
fn schema(name: &str) -> Option<String> {
    let answer = schemas::ANSWER_TYPE.trim_start_matches("dk.kassebro.");
    if [schemas::ANSWER_TYPE, answer, "answer"].contains(&name) {
        return serde_json::to_string_pretty(&schemas::answer_document()).ok();
    }
    let names = |kind: &kinds::Kind| [kind.name.to_owned(), kind.id().to_string(), kind.id().event_type()];
    let mut found: Vec<_> =
        kinds::KINDS.iter().filter(|kind| names(kind).iter().any(|known| known == name)).collect();
    found.sort_by_key(|kind| kind.version);
    found.last().map(|kind| kind.schema.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_found_by_every_name_of_its_kind() {
        for name in ["complaint", "complaint.v1", "dk.kassebro.complaint.v1"] {
            assert_eq!(schema(name).as_deref(), kinds::KINDS[1].schema.into(), "{name}");
        }
        assert!(schema("answer").is_some_and(|text| text.contains("receiptId")));
        assert_eq!(schema("complaint.v9"), None);
        assert_eq!(schema(""), None);
    }
}
