//! Every call in one table: what answers it, and what the contract says of it.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};

use super::{
    Api, answers, contract, health, home, mailbox, post_message, problem::Kind, receipts, show_message,
};

/// The methods that calls have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

impl Method {
    /// The method as OpenAPI writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// One call.
pub(super) struct Route {
    pub(super) method: Method,
    /// As axum and OpenAPI both write it: `/v1/messages/{id}`.
    pub(super) path: &'static str,
    /// The operation's stable name.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Whether it needs a party's key.
    pub(super) key: bool,
    pub(super) query: &'static [Parameter],
    pub(super) takes: Takes,
    /// What it gives back when all is well.
    pub(super) gives: &'static [Gives],
    /// What else it may answer.
    pub(super) problems: &'static [Kind],
    pub(super) serve: fn() -> MethodRouter<Arc<Api>>,
}

/// A whole number in the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) most: u64,
    pub(super) default: u64,
    pub(super) description: &'static str,
}

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Message,
    Receipt,
}

/// One good answer.
pub(super) struct Gives {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) shape: Shape,
}

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Empty,
    /// JSON by the component of that name.
    Json(&'static str),
    /// A document of that media type.
    Text(&'static str),
    /// A parcel, in the format its receiver reads.
    Parcel,
}

const fn gives(status: u16, description: &'static str, shape: Shape) -> Gives {
    Gives { status, description, shape }
}

const WAIT: Parameter = Parameter {
    name: "wait",
    most: super::poll::WAIT_SECONDS_MAX,
    default: 0,
    description: "Seconds to wait where there is nothing yet; more is taken as 60.",
};

const AFTER: Parameter = Parameter {
    name: "after",
    most: i64::MAX.unsigned_abs(),
    default: 0,
    description: "The `next` of the page before.",
};

const MAX: Parameter = Parameter {
    name: "max",
    most: mailbox::PARCELS_MAX as u64,
    default: mailbox::PARCELS_MAX as u64,
    description: "Parcels at the most.",
};

/// Of a call with a key and a query, and of one that names something.
const CALLER_ASKS: &[Kind] =
    &[Kind::BadRequest, Kind::Unauthenticated, Kind::TooMany, Kind::Unavailable, Kind::Internal];
const CALLER_NAMES: &[Kind] =
    &[Kind::Unauthenticated, Kind::NotFound, Kind::TooMany, Kind::Unavailable, Kind::Internal];

/// What the routes below have in common.
const BASE: Route = Route {
    method: Method::Get,
    path: "/",
    id: "",
    summary: "",
    key: false,
    query: &[],
    takes: Takes::Nothing,
    gives: &[],
    problems: &[],
    serve: MethodRouter::new,
};

/// Every call there is.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/v1/messages",
        id: "sendMessage",
        summary: "Send a message. It is stored before it is answered.",
        key: true,
        takes: Takes::Message,
        gives: &[
            gives(202, "Stored, and owed to its receiver.", Shape::Json("Answer")),
            gives(200, "The same message was stored before: its first answer again.", Shape::Json("Answer")),
        ],
        problems: &[
            Kind::BadRequest,
            Kind::Unauthenticated,
            Kind::NotYourSource,
            Kind::BodyTimeout,
            Kind::Conflict,
            Kind::TooLarge,
            Kind::UnsupportedType,
            Kind::Invalid,
            Kind::TooMany,
            Kind::Unavailable,
            Kind::Internal,
        ],
        serve: || post(post_message::post),
        ..BASE
    },
    Route {
        path: "/v1/messages/{id}",
        id: "showMessage",
        summary: "Where a message of one's own stands: its deliveries, promises and history, without its content.",
        key: true,
        gives: &[gives(200, "The message.", Shape::Json("Message"))],
        problems: CALLER_NAMES,
        serve: || get(show_message::show),
        ..BASE
    },
    Route {
        path: "/v1/answers",
        id: "fetchAnswers",
        summary: "The caller's answers after a cursor, in order; waits where there is none yet.",
        key: true,
        query: &[AFTER, WAIT],
        gives: &[gives(200, "The answers; none where none came in time.", Shape::Json("Answers"))],
        problems: CALLER_ASKS,
        serve: || get(answers::fetch),
        ..BASE
    },
    Route {
        path: "/v1/mailbox",
        id: "listMailbox",
        summary: "What lies in the mailboxes of the caller's receivers, nearest deadline first.",
        key: true,
        query: &[WAIT, MAX],
        gives: &[gives(
            200,
            "The parcels. They lie there until they are acknowledged.",
            Shape::Json("Mailbox"),
        )],
        problems: CALLER_ASKS,
        serve: || get(mailbox::list),
        ..BASE
    },
    Route {
        path: "/v1/mailbox/{deliveryId}",
        id: "fetchParcel",
        summary: "The bytes of a parcel that the mailbox lists, in its receiver's format.",
        key: true,
        gives: &[gives(200, "The parcel.", Shape::Parcel)],
        problems: CALLER_NAMES,
        serve: || get(mailbox::fetch),
        ..BASE
    },
    Route {
        method: Method::Post,
        path: "/v1/mailbox/{deliveryId}/ack",
        id: "acknowledgeParcel",
        summary: "Say that the parcel is here; it leaves the mailbox, and its promise is met. Twice is once.",
        key: true,
        gives: &[
            gives(204, "Noted.", Shape::Empty),
            gives(
                200,
                "The delivery had ended otherwise: kept in its history, nothing changed.",
                Shape::Json("Kept"),
            ),
        ],
        problems: CALLER_NAMES,
        serve: || post(mailbox::acknowledge),
        ..BASE
    },
    Route {
        method: Method::Post,
        path: "/v1/receipts",
        id: "sendReceipt",
        summary: "Say afterwards what became of a delivery. MODTAGET, AFLEVERET and ACCEPTERET confirm it, AFVIST and FEJLET refuse it.",
        key: true,
        takes: Takes::Receipt,
        gives: &[
            gives(204, "Noted.", Shape::Empty),
            gives(
                200,
                "Late, repeated or contradicting: kept in its history, nothing changed.",
                Shape::Json("Kept"),
            ),
        ],
        problems: &[
            Kind::BadRequest,
            Kind::Unauthenticated,
            Kind::NotFound,
            Kind::BodyTimeout,
            Kind::TooLarge,
            Kind::UnsupportedType,
            Kind::Invalid,
            Kind::TooMany,
            Kind::Unavailable,
            Kind::Internal,
        ],
        serve: || post(receipts::post),
        ..BASE
    },
    Route {
        path: "/openapi.json",
        id: "openapi",
        summary: "The calls over HTTP, as OpenAPI 3.1.",
        gives: &[gives(200, "The document.", Shape::Text("application/json"))],
        serve: || get(contract::openapi),
        ..BASE
    },
    Route {
        path: "/asyncapi.json",
        id: "asyncapi",
        summary: "The messages over RabbitMQ, as AsyncAPI 3.0.",
        gives: &[gives(200, "The document.", Shape::Text("application/json"))],
        serve: || get(contract::asyncapi),
        ..BASE
    },
    Route {
        path: "/schemas/{file}",
        id: "schema",
        summary: "The JSON Schema of a kind (complaint.v1.json) or of the answer (answer.v1.json).",
        gives: &[gives(200, "The schema.", Shape::Text("application/schema+json"))],
        problems: &[Kind::NotFound],
        serve: || get(contract::schema),
        ..BASE
    },
    Route {
        path: "/livez",
        id: "live",
        summary: "Whether the process lives.",
        gives: &[gives(200, "It does.", Shape::Text("application/json"))],
        serve: || get(health::live),
        ..BASE
    },
    Route {
        path: "/readyz",
        id: "ready",
        summary: "Whether messages can be taken: the store commits and the configuration is valid.",
        gives: &[
            gives(200, "They can; `degraded` names what does not work beside it.", Shape::Json("Readiness")),
            gives(503, "They cannot.", Shape::Json("Readiness")),
        ],
        serve: || get(health::ready),
        ..BASE
    },
    Route {
        path: "/metrics",
        id: "metrics",
        summary: "Metrics in OpenMetrics text.",
        gives: &[gives(200, "The metrics.", Shape::Text("application/openmetrics-text"))],
        serve: || get(health::metrics),
        ..BASE
    },
    Route {
        path: "/",
        id: "home",
        summary: "What this is, for a browser.",
        gives: &[gives(200, "A page.", Shape::Text("text/html"))],
        serve: || get(home::page),
        ..BASE
    },
];
