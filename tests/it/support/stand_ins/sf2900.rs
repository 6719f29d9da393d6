//! KOMBIT's Fordelingskomponent (SF2900) as far as its receipts go: each distribution has a UUID of the sender's,
//! and is answered by a `TransportKvittering`.
//!
//! The `DistributionContext` itself is not enforced: the gateway does not write it.

use super::{Found, envelope, rule, said, target};
use crate::support::receiver::Taken;

/// Judges a request by itself and by what came before.
pub(crate) fn judge(taken: &Taken, earlier: &[Taken]) -> String {
    match check(taken, earlier) {
        Ok(()) => said(200, None, "application/xml", &receipt("OK", "")),
        Err(deviation) => {
            let error =
                "<k:Fejl><k:FejlKode>17</k:FejlKode><k:FejlTekst>om 070761-4285</k:FejlTekst></k:Fejl>";
            said(200, Some(deviation), "application/xml", &receipt("FEJL", error))
        }
    }
}

fn check(taken: &Taken, earlier: &[Taken]) -> Found {
    let (method, address) = target(taken);
    rule(method == "POST" && !address.contains('?'), "not a plain POST")?;
    let id = taken.header("x-requestId").ok_or("no transaction id")?;
    rule(uuid::Uuid::try_parse(id).is_ok(), "a transaction id that is no UUID")?;
    rule(taken.header("content-type") == Some("application/xml"), "not XML")?;
    let envelope = envelope::read(&taken.body).ok_or("no envelope")?;
    rule(!envelope.id.is_empty(), "no BeskedId")?;
    envelope.check?;
    let same = earlier.iter().find(|before| before.header("x-requestId") == Some(id));
    rule(same.is_none_or(|before| before.body == taken.body), "another body under the same transaction id")
}

pub(crate) fn receipt(word: &str, errors: &str) -> String {
    format!(
        "<k:DistribuerSvar xmlns:k=\"urn:oio:sts:kvittering:2.0\"><k:TransportKvittering>\
         <k:TransportValideringsKode>{word}</k:TransportValideringsKode><k:FejlListe>{errors}</k:FejlListe>\
         </k:TransportKvittering></k:DistribuerSvar>"
    )
}
