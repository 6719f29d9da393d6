//! The promises of the whole, kept against the real binary, a real RabbitMQ, a real PostgreSQL and a real
//! Alertmanager: one test binary, so that there is one to link.

mod accepts;
mod agreements;
mod bench;
mod broker_policies;
mod broker_prefetch;
mod broker_tls;
mod channels;
mod channels_amqp;
mod channels_file;
mod channels_silence;
mod channels_tls;
mod cli;
mod cli_doctor;
mod cli_services;
mod cli_store;
mod formats;
mod inbox;
mod invalid;
mod kinds;
mod nodes;
mod orders;
mod privacy;
mod receivers;
mod receivers_channels;
mod receivers_faults;
mod recovery;
mod returns;
mod returns_mailbox;
mod sla;
mod sla_alerts;
mod stops;
mod supply_chain;
mod support;
mod survives;
mod tidy;
