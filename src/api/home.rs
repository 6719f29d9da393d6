//! `GET /`: what this is, for whoever meets it in a browser, and where its contract stands.

use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("home.html");

pub(super) async fn page() -> Response {
    Html(PAGE).into_response()
}
