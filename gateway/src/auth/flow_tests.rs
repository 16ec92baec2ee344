//! Accounts and sessions against a real store, with a clock that moves.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::{keys::Key, *};
use crate::{cache::limits::LocalLimits, store::StoreOptions};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const PASSWORD: &str = "correct horse";

struct Rig {
    auth: Auth,
    store: Store,
    clock: Clock,
    keys: Keys,
    _folder: tempfile::TempDir,
}

fn cache() -> Cache {
    Cache::local(true, Duration::from_secs(5))
}

async fn rig() -> Rig {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&StoreOptions {
        url: format!("sqlite://{}", folder.path().join("parley.db").display()),
        max_connections: 4,
        connect_timeout: Duration::from_secs(5),
    })
    .expect("a store");
    store.migrate().await.expect("a schema");
    let clock = Clock::default();
    let key = Key::generate(clock.now(), clock.now()).expect("a key");
    let keys = Keys::fixed(KeySet::new(vec![key]).expect("a set"));
    let limits = Limits::Local(LocalLimits::new(1_000));
    let settings = AuthSettings::default();
    let auth = Auth::new(store.clone(), clock.clone(), keys.clone(), limits, cache(), settings);
    Rig { auth: auth.expect("auth"), store, clock, keys, _folder: folder }
}

impl Rig {
    async fn ann(&self) -> SignedIn {
        self.auth.register(new_account("ann"), HOME).await.expect("registered")
    }

    async fn login(&self, password: &str) -> Result<SignedIn, Problem> {
        self.auth.login(credentials("ann", password), HOME).await
    }

    async fn code(&self, access: &Secret) -> Option<Code> {
        self.auth.authenticate(access.expose()).await.err().map(|problem| problem.code)
    }

    async fn refreshed(&self, token: &Secret) -> Tokens {
        match self.auth.refresh(token).await {
            Ok(Refreshed::Tokens(tokens)) => tokens,
            other => panic!("not refreshed: {other:?}"),
        }
    }
}

fn new_account(username: &str) -> RegisterRequest {
    RegisterRequest {
        username: username.into(),
        password: Secret::new(PASSWORD),
        display_name: None,
        device_label: None,
    }
}

fn credentials(username: &str, password: &str) -> LoginRequest {
    LoginRequest {
        username: username.into(),
        password: Secret::new(password),
        device_label: Some("Phone".into()),
        device_id: None,
        device_secret: None,
    }
}

fn principal(of: &SignedIn) -> Principal {
    Principal { user: of.user.id, device: of.device.id }
}

#[tokio::test]
async fn who_registers_is_signed_in_and_every_login_is_a_device() {
    let rig = rig().await;
    let first = rig.ann().await;
    let verified = rig.auth.authenticate(first.tokens.access.expose()).await.expect("verified");
    assert_eq!(verified.principal, principal(&first));
    assert!(rig.auth.key_known(&verified.kid));

    let second = rig.auth.login(credentials("ANN", PASSWORD), HOME).await.expect("signed in");
    assert_ne!(second.device.id, first.device.id);
    let devices = rig.auth.inner.store.devices(second.user.id, None, 10).await.expect("devices");
    assert_eq!((devices.len(), devices[0].id), (2, second.device.id));

    let taken = rig.auth.register(new_account("Ann"), HOME).await.expect_err("taken");
    assert_eq!((taken.code, taken.field), (Code::UsernameTaken, Some("username")));
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_what_a_login_answers() {
    let rig = rig().await;
    rig.ann().await;
    let wrong = rig.login("wrong horse").await.expect_err("refused");
    let absent = rig.auth.login(credentials("bob", "wrong horse"), HOME).await;
    assert_eq!(absent.expect_err("refused"), wrong);
    assert_eq!(wrong.code, Code::BadCredentials);
}

#[tokio::test]
async fn guesses_are_limited_by_account_but_a_known_device_gets_in() {
    let rig = rig().await;
    let device = rig.ann().await;
    let mut limited = 0;
    for n in 0..100_u8 {
        let stranger = IpAddr::from([198, 51, 100, n]);
        let guess = rig.auth.login(credentials("ann", "wrong horse"), stranger).await;
        let code = guess.expect_err("refused").code;
        limited += usize::from(code == Code::RateLimited);
    }
    assert_eq!(limited, 90);
    let locked_out = rig.login(PASSWORD).await.expect_err("refused");
    assert_eq!(locked_out.code, Code::RateLimited);
    assert!(locked_out.retry_after.is_some_and(|wait| wait <= Duration::from_secs(90)));

    let known = |secret: &Secret| LoginRequest {
        device_id: Some(device.device.id),
        device_secret: Some(secret.clone()),
        ..credentials("ann", PASSWORD)
    };
    assert!(rig.auth.login(known(&device.device_secret), HOME).await.is_ok());
    rig.auth.logout(principal(&device)).await.expect("signed out");
    assert!(rig.auth.login(known(&device.device_secret), HOME).await.is_ok(), "still known");
    let guessed = rig.auth.login(known(&Secret::new("guess")), HOME).await;
    assert_eq!(guessed.expect_err("refused").code, Code::RateLimited);
}

#[tokio::test]
async fn logins_that_succeed_do_not_count() {
    let rig = rig().await;
    rig.ann().await;
    for _ in 0..30 {
        rig.login(PASSWORD).await.expect("signed in");
    }
}

#[tokio::test]
async fn fifty_refreshes_of_one_token_end_with_one_line() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let all = join_all((0..50).map(|_| rig.refreshed(&ann.tokens.refresh))).await;
    let next = &all[0].refresh;
    assert!(all.iter().all(|tokens| tokens.refresh == *next));
    assert_eq!(rig.code(&all[49].access).await, None);
    let after = rig.refreshed(next).await;
    assert_ne!(after.refresh, *next);
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_device_once_the_grace_is_over() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let next = rig.refreshed(&ann.tokens.refresh).await;
    rig.clock.advance(Duration::from_secs(29));
    assert_eq!(rig.refreshed(&ann.tokens.refresh).await.refresh, next.refresh);
    rig.clock.advance(Duration::from_secs(2));
    let reused = rig.auth.refresh(&ann.tokens.refresh).await.expect("an answer");
    assert!(matches!(reused, Refreshed::Revoked(user) if user == ann.user.id));
    let family = rig.auth.refresh(&next.refresh).await.expect_err("refused");
    assert_eq!(family.code, Code::SignedOut);
    assert_eq!(rig.code(&next.access).await, Some(Code::SignedOut));
}

#[tokio::test]
async fn a_device_that_rests_for_a_month_must_log_in() {
    let rig = rig().await;
    let ann = rig.ann().await;
    rig.clock.advance(Duration::from_secs(29 * 86_400));
    let next = rig.refreshed(&ann.tokens.refresh).await;
    rig.clock.advance(Duration::from_secs(31 * 86_400));
    let expired = rig.auth.refresh(&next.refresh).await.expect_err("refused");
    assert_eq!(expired.code, Code::SignedOut);
}

#[tokio::test]
async fn access_tokens_end_with_time_logout_password_and_disabling() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let phone = rig.login(PASSWORD).await.expect("signed in");
    rig.auth.logout(principal(&phone)).await.expect("signed out");
    assert_eq!(rig.code(&phone.tokens.access).await, Some(Code::SignedOut));
    assert_eq!(rig.code(&ann.tokens.access).await, None);

    let tablet = rig.login(PASSWORD).await.expect("signed in");
    let change = |current: &str| ChangePassword {
        current_password: Secret::new(current),
        new_password: Secret::new("another horse"),
    };
    let wrong = rig.auth.change_password(principal(&ann), change("wrong horse")).await;
    assert_eq!(wrong.expect_err("refused").code, Code::BadCredentials);
    rig.auth.change_password(principal(&ann), change(PASSWORD)).await.expect("changed");
    assert_eq!(rig.code(&ann.tokens.access).await, None, "the one that asked stays");
    assert_eq!(rig.code(&tablet.tokens.access).await, Some(Code::SignedOut));
    assert_eq!(rig.login(PASSWORD).await.expect_err("refused").code, Code::BadCredentials);

    let laptop = rig.login("another horse").await.expect("signed in");
    rig.auth.logout_all(principal(&ann)).await.expect("signed out");
    for gone in [&ann, &laptop] {
        assert_eq!(rig.code(&gone.tokens.access).await, Some(Code::SignedOut));
    }
    let back = rig.login("another horse").await.expect("signed in");
    assert_eq!(rig.code(&back.tokens.access).await, None, "the new epoch counts");
    rig.clock.advance(Duration::from_secs(15 * 60 + 61));
    assert_eq!(rig.code(&back.tokens.access).await, Some(Code::TokenExpired));

    admin::set_disabled(&rig.store, &rig.clock, "ann", true).await.expect("disabled");
    let refused = rig.auth.refresh(&back.tokens.refresh).await.expect_err("refused");
    assert_eq!(refused.code, Code::SignedOut);
    assert_eq!(rig.login("another horse").await.expect_err("refused").code, Code::Forbidden);
    admin::set_disabled(&rig.store, &rig.clock, "ann", false).await.expect("enabled");
    assert!(rig.login("another horse").await.is_ok());
}

#[tokio::test]
async fn devices_are_revoked_by_their_owner_only() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let bob = rig.auth.register(new_account("bob"), HOME).await.expect("registered");
    let not_mine = rig.auth.revoke_device(principal(&bob), ann.device.id).await;
    assert_eq!(not_mine.expect_err("refused").code, Code::NotFound);
    assert_eq!(rig.code(&ann.tokens.access).await, None);
    rig.auth.revoke_device(principal(&ann), ann.device.id).await.expect("revoked");
    assert_eq!(rig.code(&ann.tokens.access).await, Some(Code::SignedOut));
    let again = rig.auth.logout_by_refresh(&ann.tokens.refresh).await;
    assert_eq!(again, Ok(None), "ending it twice is no error");
}

#[tokio::test]
async fn a_ticket_opens_one_socket_for_half_a_minute() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let who = rig.auth.authenticate(ann.tokens.access.expose()).await.expect("verified");
    let (ticket, _) = rig.auth.ticket(&who).await.expect("a ticket");
    let as_access = rig.auth.authenticate(ticket.expose()).await.expect_err("refused");
    assert_eq!(as_access.code, Code::Unauthenticated);
    let opened = rig.auth.authenticate_socket(ticket.expose()).await.expect("opened");
    assert_eq!(opened.principal, who.principal);
    let replayed = rig.auth.authenticate_socket(ticket.expose()).await.expect_err("refused");
    assert_eq!(replayed.code, Code::Unauthenticated);

    let (late, _) = rig.auth.ticket(&who).await.expect("a ticket");
    rig.clock.advance(Duration::from_secs(31));
    assert!(rig.auth.authenticate_socket(late.expose()).await.is_err());
    let (void, _) = rig.auth.ticket(&who).await.expect("a ticket");
    rig.auth.logout(principal(&ann)).await.expect("signed out");
    let ended = rig.auth.authenticate_socket(void.expose()).await.expect_err("refused");
    assert_eq!(ended.code, Code::SignedOut);
    let access = rig.auth.authenticate_socket(ann.tokens.access.expose()).await;
    assert_eq!(access.expect_err("refused").code, Code::SignedOut);
}

#[tokio::test]
async fn a_removed_key_ends_everything_that_it_signed() {
    let rig = rig().await;
    let ann = rig.ann().await;
    let old = rig.keys.signing(rig.clock.now());
    let mut changed = rig.auth.keys_changed();
    let copy = Key::generate(rig.clock.now(), rig.clock.now()).expect("a key");
    let new_kid = copy.kid.clone();
    rig.keys.replace(KeySet::new(vec![copy]).expect("a set"));
    assert!(changed.has_changed().expect("alive"));
    changed.mark_unchanged();
    assert!(!rig.auth.key_known(&old.kid) && rig.auth.key_known(&new_kid));
    assert_eq!(rig.code(&ann.tokens.access).await, Some(Code::Unauthenticated));
    let refresh = rig.auth.refresh(&ann.tokens.refresh).await.expect_err("refused");
    assert_eq!(refresh.code, Code::Unauthenticated);
}

#[tokio::test]
async fn registration_may_be_closed_and_fields_have_rules() {
    let rig = rig().await;
    let short = RegisterRequest { password: Secret::new("short"), ..new_account("ann") };
    let refused = rig.auth.register(short, HOME).await.expect_err("refused");
    assert_eq!((refused.code, refused.field), (Code::InvalidField, Some("password")));

    let settings = AuthSettings { registration_open: false, ..AuthSettings::default() };
    let (store, clock, keys) = (rig.store.clone(), rig.clock.clone(), rig.keys.clone());
    let closed = Auth::new(store, clock, keys, Limits::Off, cache(), settings).expect("auth");
    let refused = closed.register(new_account("ann"), HOME).await.expect_err("refused");
    assert_eq!(refused.code, Code::RegistrationClosed);
}
