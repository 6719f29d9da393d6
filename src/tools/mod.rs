//! What people use beside the gateway itself: generated messages, the reference inbox, the demonstration.

pub mod bench;
pub mod demo;
pub mod generate;
pub mod hands;
pub mod inbox;
pub mod scenario;
pub mod scripted;
