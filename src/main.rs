//! Parse, call, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    kassebro::cli::main()
}
