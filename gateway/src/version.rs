//! Which build this is. The revision and the date are given to the compiler by
//! who builds a release (`make build`); without them nothing is rebuilt.

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const REVISION: Option<&str> = option_env!("BUILD_REVISION");
pub const DATE: Option<&str> = option_env!("BUILD_DATE");
