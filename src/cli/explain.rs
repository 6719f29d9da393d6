//! `kassebro explain`: the page of a fault code.

use serde_json::{Value, json};

use super::{Context, Exit, Failure, Outcome};
use crate::domain::FaultCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kassebro explain GW1101\n  kassebro explain\n\n\
                        Exit codes: 0 done, 4 no such code.")]
pub(super) struct Args {
    /// The code, e.g. GW1101; without it, the list of all.
    code: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let Some(text) = &args.code else {
        list(context);
        return Ok(Exit::Done);
    };
    let code = parse(text).ok_or_else(|| {
        Failure::not_found(format_args!("no fault has the code {text:?}; `kassebro explain` lists them"))
    })?;
    if context.output.json {
        context.output.value(&described(code, Some(code.page())));
    } else {
        context.output.line(code.page().trim_end());
    }
    Ok(Exit::Done)
}

/// `GW1101`, `gw1101` or `1101`.
fn parse(text: &str) -> Option<FaultCode> {
    text.parse().ok().or_else(|| FaultCode::from_number(text.trim().parse().ok()?))
}

fn list(context: &Context) {
    if context.output.json {
        let all: Vec<Value> = FaultCode::ALL.iter().map(|code| described(*code, None)).collect();
        context.output.value(&all);
        return;
    }
    let all: Vec<String> = FaultCode::ALL.iter().map(ToString::to_string).collect();
    context.output.list(&all, &["code", "class", "what happened"], |text| {
        let code: FaultCode = text.parse().expect("it was just written");
        vec![text.clone(), code.class().name().to_owned(), code.title().to_owned()]
    });
}

fn described(code: FaultCode, page: Option<&str>) -> Value {
    let mut value = json!({ "code": code, "class": code.class(), "title": code.title() });
    if let Some(page) = page {
        value["page"] = page.into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for text in ["GW1101", "gw1101", "1101", " GW1101 "] {
            assert_eq!(parse(text), Some(FaultCode::SchemaViolation), "{text}");
        }
        for text in ["", "GW", "GW0001", "99999", "schema"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
