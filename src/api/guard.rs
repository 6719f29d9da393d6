//! What stands around every call: problems in words, a fence for panics, and the headers of a careful server.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tracing::error;

use super::{language::Language, problem::Problem};

/// On every answer. Nothing here may be framed, guessed at, run or kept.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) async fn guard(request: Request, next: Next) -> Response {
    let language = Language::of(request.headers());
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        // Neither path nor panic is logged here: a path may hold anything, and the panic's own line is out.
        error!(%method, "A call stopped in our own code and was answered 500");
        Problem::internal().into_response()
    });
    if let Some(problem) = response.extensions().get::<Arc<Problem>>().cloned() {
        let allowed = response.headers_mut().remove(header::ALLOW);
        response = problem.render(language, &path);
        response.headers_mut().extend(allowed.map(|methods| (header::ALLOW, methods)));
    }
    for (name, value) in HEADERS {
        // A call that says otherwise knows better: the contract may be cached.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, http::StatusCode, middleware, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_call_is_answered_500_and_hurts_nobody_else() {
        let stops = async || -> StatusCode { panic!("on purpose") };
        let app = Router::new()
            .route("/stops", get(stops))
            .route("/works", get(async || "yes"))
            .layer(middleware::from_fn(guard));
        let ask = |path: &str| Request::get(path.to_owned()).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(ask("/stops")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("on purpose"));
        assert_eq!(app.oneshot(ask("/works")).await.unwrap().status(), StatusCode::OK);
    }
}
