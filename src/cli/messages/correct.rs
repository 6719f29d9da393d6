//! A stored message that a person corrects or gives up.

use std::path::Path;

use super::{LanguageArg, exit, intake, told, unknown};
use crate::{
    cli::{Context, Exit, Failure, Outcome, deliveries, files, now, who},
    domain::ReceiptId,
    intake::{RawMessage, admit},
    store::{Admission, Command, Store, TakenAgain, Way, views::MessageView},
};

/// Hands the corrected message in as if the party of the first had, and ties the two together.
pub(super) async fn edit(
    context: &Context,
    receipt: ReceiptId,
    file: &Path,
    reason: String,
    language: LanguageArg,
) -> Outcome {
    let store = context.store()?;
    let first = find(&*store, receipt).await?;
    let intake = intake(context, &store).await?;
    let rules = intake.rules();
    let body = files::read(file, &rules.limits)?.into();
    let raw = RawMessage { party: first.line.party, content_type: None, headers: vec![], body, sent: None };
    let mut admission = admit(&rules, intake.receive(raw, Way::Local, &rules));
    if let Admission::Accepted(message) = &mut admission {
        message.envelope.causation_id = Some(receipt.to_string());
    }
    let mut verdicts = intake.accept(vec![admission]).await?;
    let verdict = verdicts.pop().expect("the store gives one verdict for each admission");
    let again = verdict.answer().receipt_id;
    store.taken_again(receipt, again, TakenAgain::Edited { reason }, who(), now()).await?;
    told(&context.output, &verdict, language);
    Ok(exit(&verdict))
}

/// Cancels everything that the message still owes.
pub(super) async fn discard(context: &Context, receipt: ReceiptId, reason: &str) -> Outcome {
    let message = find(&*context.store()?, receipt).await?;
    if message.deliveries.is_empty() {
        let what = anyhow::anyhow!("message {receipt} was refused when it came: it owes nothing");
        return Err(Failure::new(Exit::Conflict, what));
    }
    let owed = message.deliveries.iter().map(|delivery| delivery.delivery_id.uuid()).collect();
    let cancel = |delivery| Command::Cancel { delivery, reason: Some(reason.to_owned()) };
    deliveries::give(context, owed, cancel).await
}

async fn find(store: &dyn Store, receipt: ReceiptId) -> Result<MessageView, Failure> {
    store.message(receipt.to_string(), None, now()).await?.ok_or_else(|| unknown(receipt))
}
