//! People who are told by mail: one mail for all that changes at one time.

use futures_util::{FutureExt, future::BoxFuture};

use super::{Notice, Way};
use crate::channels::mail::Post;

pub struct Mail(pub Post);

impl Way for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let sent = self.0.send(&notice.subject(), notice.text(), notice.at).await;
            sent.map_err(|fault| fault.to_string())
        }
        .boxed()
    }
}
