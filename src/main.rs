//! Parse, call, exit.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A message is many small pieces of memory, taken on one thread and given back on another: with the C library's own
/// allocator that was a sixth of all CPU time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2's `mimalloc.h`; the bindings do not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Memory that is free goes back to the system at once and not after ten milliseconds. It costs no more CPU time that
/// could be measured, and with a million messages pending the process keeps three quarters of the memory.
#[expect(unsafe_code, reason = "a foreign function that stores a number; no other thread runs yet")]
fn give_back_at_once() {
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}

fn main() -> ExitCode {
    give_back_at_once();
    kassebro::cli::main()
}
