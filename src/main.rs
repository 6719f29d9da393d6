//! Parse, call, exit.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A message is many small pieces of memory, taken on one thread and given back on another: with the C library's own
/// allocator that was a sixth of all CPU time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    kassebro::cli::main()
}
