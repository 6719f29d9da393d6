//! A queue at the broker that gets each notice as a `CloudEvent`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use super::{Notice, Way};
use crate::{
    channels::amqp_publisher::{Letter, Publisher},
    domain::{Party, alert::EVENT_TYPE},
};

/// Published persistent and mandatory; taken once the broker confirms that it lies in a queue.
pub struct Amqp {
    pub publisher: Arc<Publisher>,
    pub exchange: String,
    /// `alert.<target>`, or `<party>.alert`.
    pub routing_key: String,
}

impl Amqp {
    fn letter(&self, notice: &Notice) -> Letter {
        Letter {
            exchange: self.exchange.clone(),
            routing_key: self.routing_key.clone(),
            message_id: notice.id.clone(),
            content_type: "application/cloudevents+json".to_owned(),
            body: Bytes::from(event(notice).to_string()),
            event_type: EVENT_TYPE.to_owned(),
            correlation_id: None,
            headers: vec![],
            timestamp: notice.at,
        }
    }
}

fn event(notice: &Notice) -> Value {
    json!({
        "specversion": "1.0",
        "id": notice.id,
        "source": Party::Gateway.to_string(),
        "type": EVENT_TYPE,
        "time": notice.at,
        "datacontenttype": "application/json",
        "data": notice.json(),
    })
}

impl Way for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let fates = self.publisher.publish(&[self.letter(notice)]).await;
            let fate = fates.into_iter().next().expect("one letter has one fate");
            fate.map_err(|why| why.to_string())
        }
        .boxed()
    }
}
