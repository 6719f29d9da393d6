//! An address that gets each notice as JSON, signed by Standard Webhooks where a secret is named.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};

use super::{Notice, Way};
use crate::webhook_signature::{self, WebhookSecret};

/// From the first byte sent until the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Webhook {
    pub client: Client,
    pub url: String,
    /// The old and the new one while they change; none: unsigned.
    pub secrets: Vec<WebhookSecret>,
}

impl Way for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let (body, at) = (notice.json().to_string(), notice.at.as_second());
            let mut request = self
                .client
                .post(&self.url)
                .header(CONTENT_TYPE, "application/json")
                .header("webhook-id", &notice.id)
                .header("webhook-timestamp", at);
            if let Some(signature) = webhook_signature::header(&self.secrets, &notice.id, at, body.as_bytes())
            {
                request = request.header("webhook-signature", signature);
            }
            send(request.body(body)).await.map(|_| ())
        }
        .boxed()
    }
}

/// Sends it, and takes a success for an answer.
pub(super) async fn send(request: RequestBuilder) -> Result<reqwest::Response, String> {
    let answer = request.timeout(TIMEOUT).send().await.map_err(|error| {
        // The library's words would repeat the address.
        if error.is_timeout() {
            "it did not answer in time"
        } else if error.is_connect() {
            "no connection"
        } else {
            "the request failed"
        }
    })?;
    let status = answer.status();
    if status.is_success() { Ok(answer) } else { Err(format!("it answered {}", status.as_u16())) }
}
