//! What receivers say of deliveries: that they have them, or will not.

use jiff::Timestamp;
use serde_json::json;

use super::{Target, answer, end_delivery, has_open_promise, let_next_go};
use crate::{
    domain::{AnswerOutcome, Fault},
    store::{
        Commanded,
        brought::Note,
        clocks::{Happened, key},
        fallback::{Came, DEAD, DELIVERED, PENDING},
        numbers::us,
        postgres::{fail::Fail, work::Tx},
        told,
    },
};

/// The receiver has it, by its own word. A receipt that comes after the end is kept and changes nothing.
pub(super) async fn confirm(
    tx: &mut Tx<'_>,
    target: &Target,
    receipt: Option<&str>,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let fresh = target.state == PENDING;
    if fresh {
        end_delivery(tx, target, DELIVERED, None, now).await?;
        tx.handing.note(Note::Delivered(target.seq));
        let_next_go(tx, target).await?;
        answer(tx, target, AnswerOutcome::Delivered, told::delivered(receipt, target.rounds), now);
    }
    let met = match target.state {
        PENDING | DELIVERED => target.comes(tx, Came::There, now).await?.promise,
        _ => None,
    };
    let heard = fresh && target.hears(tx, Happened::Delivered, now).await?;
    let heard = target.hears(tx, Happened::Confirmed, now).await? || heard;
    let mut told = json!({ "receipt": receipt, "by": by });
    if let Some(met) = met {
        tx.handing.note(Note::Met(key(target.promised(), 0)));
        told["promise"] = met.into();
    }
    tx.logs.of_delivery(target.seq, us(now), "receipt", told.to_string());
    Ok(if fresh || heard || met.is_some() { Commanded::Done } else { Commanded::Already })
}

/// The receiver refuses it. A refusal that comes after a final end is kept and changes nothing.
pub(super) async fn refuse(
    tx: &mut Tx<'_>,
    target: &Target,
    fault: &Fault,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let mut told = json!({ "refused": fault, "by": by });
    if target.state != PENDING && !(target.state == DELIVERED && has_open_promise(tx, target).await?) {
        tx.logs.of_delivery(target.seq, us(now), "receipt", told.to_string());
        return Ok(Commanded::Already);
    }
    end_delivery(tx, target, DEAD, Some(fault), now).await?;
    if let Some(ended) = target.comes(tx, Came::Refused, now).await?.promise {
        told["promise"] = ended.into();
    }
    target.hears(tx, Happened::Died, now).await?;
    tx.logs.of_delivery(target.seq, us(now), "receipt", told.to_string());
    answer(tx, target, AnswerOutcome::Failed, told::failed(fault, target.rounds), now);
    let_next_go(tx, target).await?;
    Ok(Commanded::Done)
}
