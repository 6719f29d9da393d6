//! The promises of the calls, kept against a real store and the real rules.

mod answers;
mod broken;
mod contract;
mod health;
mod isolation;
mod labels;
mod mailbox;
mod rig;
mod sending;
mod socket;
