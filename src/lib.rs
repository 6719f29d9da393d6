//! Kassebro: the message gateway between a-kasser and jobcentres.
#![doc = include_str!("ARCHITECTURE.md")]
#![forbid(unsafe_code)]

pub mod amqp_client;
pub mod amqp_uri;
pub mod api;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod dispatch;
pub mod domain;
pub mod formats;
pub mod gateway;
pub mod http_client;
pub mod intake;
pub mod kinds;
pub mod lifecycle;
pub mod otlp;
pub mod reconnect;
pub mod store;
pub mod telemetry;
pub mod tools;
pub mod units;
pub mod watch;
pub mod webhook_signature;
