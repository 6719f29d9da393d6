//! `kassebro groups`: what died of the same at the same receiver, and trying all of it again.

use std::str::FromStr;

use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{counted, local},
};
use crate::{
    domain::FaultCode,
    store::{self, Commanded, views::Which},
};

/// Deliveries read in one go.
const BATCH_MAX: u32 = 500;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Dead deliveries by receiver, kind and fault, the earliest due first.
    #[command(after_help = "Example:\n  kassebro groups list --json | jq -r '.[].group'")]
    List,
    /// Try every delivery of a group again.
    #[command(after_help = "Example:\n  kassebro groups retry norddjurs/complaint.v1/GW2001\n\n\
                            Exit codes: 0 all will be tried, 4 nothing is dead in that group.")]
    Retry {
        /// As `groups list` names it: `<receiver>/<kind>/<fault code>`.
        group: Group,
    },
}

/// A group's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    receiver: String,
    kind: String,
    code: FaultCode,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.receiver, self.kind, self.code)
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A receiver's name may have a slash in it; kinds and codes have none.
        let mut parts = text.rsplitn(3, '/');
        let (Some(code), Some(kind), Some(receiver)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("a group is written <receiver>/<kind>/<fault code>".to_owned());
        };
        Ok(Self { receiver: receiver.to_owned(), kind: kind.to_owned(), code: code.parse()? })
    }
}

#[derive(Serialize)]
struct Listed {
    group: String,
    #[serde(flatten)]
    dead: store::views::DeadGroup,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List => list(context).await,
            Command::Retry { group } => retry(context, group).await,
        }
    })?
}

async fn list(context: &Context) -> Outcome {
    let groups = context.store()?.dead_groups().await?;
    let listed: Vec<Listed> = groups
        .into_iter()
        .map(|dead| {
            let group = Group { receiver: dead.receiver.clone(), kind: dead.kind.clone(), code: dead.code };
            Listed { group: group.to_string(), dead }
        })
        .collect();
    let columns = ["group", "dead", "fault", "first died", "last died", "earliest due"];
    context.output.list(&listed, &columns, |Listed { group, dead }| {
        vec![
            group.clone(),
            dead.count.to_string(),
            dead.code.title().to_owned(),
            local(dead.first),
            local(dead.last),
            local(dead.earliest_due),
        ]
    });
    Ok(Exit::Done)
}

async fn retry(context: &Context, group: Group) -> Outcome {
    let store = context.store()?;
    let name = group.to_string();
    let which = Which::Dead { receiver: group.receiver, kind: group.kind, code: group.code };
    let (mut after, mut retried) = (None, 0);
    loop {
        let dead = store.which(which.clone(), after, BATCH_MAX).await?;
        let Some(last) = dead.last().copied() else { break };
        after = Some(last);
        for delivery in dead {
            let done = store.command(store::Command::Retry(delivery), super::who(), now()).await?;
            retried += usize::from(done == Commanded::Done);
        }
    }
    if retried == 0 {
        return Err(Failure::not_found(format_args!("nothing is dead in the group {name}")));
    }
    if context.output.json {
        context.output.value(&serde_json::json!({ "group": name, "retried": retried }));
    } else {
        context
            .output
            .line(format_args!("{} of {name} tried again", counted(retried, "delivery", "deliveries")));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_back_from_its_name() {
        for name in ["kbh/complaint.v1/GW2001", "a/b/job_order.v1/GW2301"] {
            assert_eq!(name.parse::<Group>().unwrap().to_string(), name);
        }
        for text in ["", "kbh", "kbh/complaint.v1", "kbh/complaint.v1/GW0000"] {
            assert!(text.parse::<Group>().is_err(), "{text}");
        }
    }
}
