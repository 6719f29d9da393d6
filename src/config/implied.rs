//! What a configuration implies: a party that is given nothing else is a receiver all the same.
//!
//! A party with an AMQP user gets what is addressed to it where its answers are: in its own queue, under
//! `<code>.<kind>`. Who has only a key for HTTP fetches it from the mailbox.

use super::settings::{Party, Receiver, ReceiverCommon, Settings};
use crate::{amqp_uri::AmqpUri, channels::ChannelConfig};

/// Adds a receiver, named as the party, for each party that no receiver is configured for.
pub(super) fn add_receivers(settings: &mut Settings) {
    // One that is a second way stands behind what is implied.
    let has_one = |party: &Party| {
        let firsts = settings.receiver.iter().filter(|r| !r.common.fallback_only);
        firsts.into_iter().any(|r| r.common.party == party.code)
    };
    let named = |party: &Party| settings.receiver.iter().any(|r| r.common.name() == party.code);
    let without: Vec<&Party> = settings.party.iter().filter(|p| !has_one(p) && !named(p)).collect();
    let implied: Vec<Receiver> = without.into_iter().filter_map(|party| receiver(settings, party)).collect();
    settings.receiver.extend(implied);
}

fn receiver(settings: &Settings, party: &Party) -> Option<Receiver> {
    let has_queue = party.amqp_user.is_some() && !settings.amqp.url.is_empty();
    let channel = if has_queue {
        queue(settings, party)?
    } else if party.api_key_sha256.is_empty() {
        return None;
    } else {
        ChannelConfig::Mailbox(crate::channels::mailbox::Config {})
    };
    let common = ReceiverCommon::of(&party.code);
    Some(Receiver { common, channel })
}

/// The party's own queue. What the broker has confirmed there, the party has.
fn queue(settings: &Settings, party: &Party) -> Option<ChannelConfig> {
    let amqp = &settings.amqp;
    Some(ChannelConfig::Amqp(crate::channels::amqp::Config {
        url: AmqpUri::parse(&amqp.url).ok()?,
        password_file: amqp.password_file.clone(),
        exchange: amqp.exchange_answers.clone(),
        routing_key: format!("{}.{{kind}}", party.code),
        receipt_follows: false,
        profile: None,
        answer_timeout: crate::channels::amqp::answer_timeout(),
        connect_timeout: amqp.connect_timeout,
        confirm_timeout: amqp.confirm_timeout,
        ca_file: amqp.ca_file.clone(),
        client_certificate: amqp.client_certificate.clone(),
        client_key: amqp.client_key.clone(),
    }))
}
