//! The configuration of the scene's gateway.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Fund;
use crate::support::kept::hex;

/// Two funds with queues and keys and an agreement each; a jobcenter that is delivered to over HTTP, and that sends
/// over RabbitMQ where it has a user.
pub(super) fn text(uri: &str, url: &str, funds: [&Fund; 2], jobcenter: Option<&Fund>) -> String {
    let user = jobcenter.map_or_else(String::new, |fund| format!("amqp_user = \"{}\"\n", fund.user));
    let mut text = format!(
        r#"
[amqp]
url = "{uri}"
connect_timeout = "5s"
confirm_timeout = "10s"

[retry]
first = "200ms"
longest = "1s"

[circuit]
probe_first = "200ms"
probe_longest = "1s"

[stop]
grace = "10s"

[[party]]
code = "0101"
{user}
[[receiver]]
party = "0101"
channel = "http"
url = "{url}"
connect_timeout = "2s"
first_byte_timeout = "3s"
total_timeout = "5s"
attempt_timeout = "8s"
"#
    );
    for fund in funds {
        let hash = hex(&Sha256::digest(fund.key()));
        write!(
            text,
            r#"
[[party]]
code = "{0}"
amqp_user = "{1}"
api_key_sha256 = ["{hash}"]

[[agreement]]
id = "koebenhavn-{0}"
akasse = "{0}"
jobcenter = "0101"
valid_from = "2020-01-01"
"#,
            fund.code, fund.user
        )
        .expect("writing to a text does not fail");
    }
    text
}
