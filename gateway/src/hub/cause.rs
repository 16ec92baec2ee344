//! Why a connection ended. Every end has one; one counter is labelled by it.

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $close:literal, $reason:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[$doc])* $name),* }

        impl Cause {
            pub const ALL: &[Cause] = &[$(Cause::$name),*];

            /// Name in metrics and logs.
            pub fn label(self) -> &'static str { match self { $(Cause::$name => $label),* } }

            /// WebSocket close code.
            pub fn close_code(self) -> u16 { match self { $(Cause::$name => $close),* } }

            /// The same, as a label.
            pub fn close_code_label(self) -> &'static str {
                match self { $(Cause::$name => stringify!($close)),* }
            }

            /// For a person who reads the close frame.
            pub fn reason(self) -> &'static str { match self { $(Cause::$name => $reason),* } }
        }
    };
}

causes! {
    /// The client closed.
    Client = "client", 1000, "closed by the client";
    /// The network or the client went away without a close frame.
    Lost = "lost", 1006, "the connection was lost";
    Restart = "restart", 1012, "this replica is going away; reconnect";
    Moved = "moved", 1012, "another replica has room; reconnect";
    Overloaded = "overloaded", 1013, "overloaded; reconnect later";
    TooBig = "too_big", 1009, "a frame is larger than 64 KiB; reconnect";
    Protocol = "protocol", 1002, "not WebSocket as RFC 6455 has it; do not reconnect";
    BadFrame = "bad_frame", 4400, "a frame was not understood; do not repeat it";
    Expired = "expired", 4401, "the access token has expired; refresh it, then reconnect";
    SignedOut = "signed_out", 4403, "this session has ended; do not reconnect";
    TooSlow = "too_slow", 4408, "frames were not read in time; reconnect";
    Silent = "silent", 4408, "nothing was heard for too long; reconnect";
    Flooding = "flooding", 4429, "too many frames or connections; reconnect later";
    /// Something here went wrong; the client resumes without loss.
    Internal = "internal", 1011, "something went wrong here; reconnect";
}
