//! A jobcenter's inbox in the test's own process.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use kassebro::tools::inbox::{Handle, Inbox};
use tokio::sync::oneshot;

/// The inbox while it serves.
pub(crate) struct Served {
    pub(crate) handle: Handle,
    pub(crate) url: String,
    /// Dropped, it stops.
    _stop: oneshot::Sender<()>,
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "the inbox serves beside the test and ends with it")]
    pub(super) async fn start() -> Self {
        let inbox = Inbox::bind("127.0.0.1:0".parse().unwrap(), vec![]).await.unwrap();
        let (handle, url) = (inbox.handle(), inbox.url());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(inbox.serve(async {
            let _ = stopped.await;
        }));
        Self { handle, url, _stop: stop }
    }

    /// Key and body hash of everything it took, in order.
    pub(crate) fn taken(&self) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        let mut after = 0;
        loop {
            let page = self.handle.deliveries(after);
            let Some(last) = page.last() else { return taken };
            after = last.number;
            taken.extend(page.into_iter().map(|d| (d.key, d.body_sha256)));
        }
    }
}
