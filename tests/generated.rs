//! Files of the repository that are generated from the code: each is
//! reproduced here and must not differ. `make gen` writes them.

use std::collections::BTreeMap;

use parley::model::{self, *};
use ts_rs::{Config, TS, TypeVisitor};

use crate::support::reproduces;

/// Declarations by name, dependencies included.
struct Declarations<'a> {
    config: &'a Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if T::output_path().is_none() {
            return; // a type of TypeScript itself
        }
        let name = T::ident(self.config);
        if self.found.contains_key(&name) {
            return;
        }
        let mut text = String::new();
        for line in
            T::docs().into_iter().flat_map(|d| d.lines().map(str::to_owned).collect::<Vec<_>>())
        {
            text += line.trim_end();
            text += "\n";
        }
        text += &format!("export {}\n", T::decl(self.config));
        self.found.insert(name, text);
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[test]
fn wire_types_of_the_web_client_match_the_gateway() {
    let config = Config::new().with_large_int("number");
    let mut all = Declarations { config: &config, found: BTreeMap::new() };
    macro_rules! roots { ($($name:ty),* $(,)?) => { $(all.visit::<$name>();)* } }
    roots!(
        ClientFrame,
        ServerFrame,
        Cursors,
        SendAck,
        CreateConversation,
        PatchConversation,
        PatchMembership,
        AddParticipants,
        PatchParticipant,
        PostMessage,
        PatchMessage,
        PostRead,
        model::Page<User>,
        History,
        SyncRequest,
        SyncResponse,
        Device,
        Participant,
        RegisterRequest,
        LoginRequest,
        RefreshRequest,
        ChangePassword,
        DeleteAccount,
        PatchUser,
        AuthResponse,
        TokenResponse,
        Ticket,
        parley::http::ProblemBody,
    );
    let body: Vec<_> = all.found.into_values().collect();
    let text = format!(
        "// Generated from the gateway's Rust types by `make gen`. Do not edit.\n\n{}",
        body.join("\n")
    );
    reproduces("web/src/gen/wire.ts", &text);
}
