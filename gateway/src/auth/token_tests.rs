//! What a token must not get away with.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::auth::keys::{Key, KeySet};

const TTL: Duration = Duration::from_secs(900);
const BOTH: &[Kind] = &[Kind::Access, Kind::Ticket];

fn now() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000).expect("a time")
}

fn secret() -> Vec<u8> {
    (0..32).map(|n: u8| n.wrapping_mul(37)).collect()
}

fn keys() -> Keys {
    let key = Key::new("k1".into(), secret(), now(), now()).expect("a key");
    Keys::fixed(KeySet::new(vec![key]).expect("a set"))
}

fn who() -> Principal {
    Principal { user: UserId(Uuid::from_u128(1)), device: DeviceId(Uuid::from_u128(2)) }
}

fn signed(header: &str, claims: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn good_header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": "k1"})
}

fn good_claims() -> Value {
    json!({
        "iss": "parley", "aud": "parley", "sub": who().user, "did": who().device, "epoch": 3,
        "iat": now().seconds(), "exp": now().seconds() + 900, "jti": Uuid::from_u128(3),
        "typ": "access",
    })
}

fn with(mut object: Value, field: &str, value: Value) -> String {
    object[field] = value;
    object.to_string()
}

fn without(mut object: Value, field: &str) -> String {
    object.as_object_mut().expect("an object").remove(field);
    object.to_string()
}

fn refused(token: &str) -> Code {
    verify(&keys(), token, BOTH, now()).map(|(claims, _)| claims).expect_err(token).code
}

#[test]
fn what_is_issued_verifies_until_it_expires() {
    let keys = keys();
    for (kind, leeway) in [(Kind::Access, 60), (Kind::Ticket, 0)] {
        let (token, expires_at) = issue(&keys, kind, who(), 7, now(), TTL).expect("issued");
        assert_eq!(expires_at, now() + TTL);
        let (claims, kid) = verify(&keys, token.expose(), &[kind], now()).expect("valid");
        assert_eq!((claims.principal(), claims.epoch, kid.as_str()), (who(), 7, "k1"));
        assert_eq!(claims.expires_at(), expires_at);
        let last = expires_at + Duration::from_secs(leeway) - Duration::from_millis(1);
        assert!(verify(&keys, token.expose(), &[kind], last).is_ok());
        let late = verify(&keys, token.expose(), &[kind], last + Duration::from_millis(1));
        assert_eq!(late.expect_err("expired").code, Code::TokenExpired);
    }
}

#[test]
fn a_ticket_is_given_leeway_by_every_clock_but_its_own() {
    let (own, other) = (keys(), keys());
    let (ticket, expires_at) = issue(&own, Kind::Ticket, who(), 0, now(), TTL).expect("issued");
    let verify = |keys, at| verify(keys, ticket.expose(), &[Kind::Ticket], at);
    assert!(verify(&own, expires_at).is_err());
    assert!(verify(&other, expires_at + LEEWAY - Duration::from_millis(1)).is_ok());
    let late = verify(&other, expires_at + LEEWAY).expect_err("expired");
    assert_eq!(late.code, Code::TokenExpired);
}

#[test]
fn a_ticket_is_no_access_token() {
    let keys = keys();
    let (ticket, _) = issue(&keys, Kind::Ticket, who(), 0, now(), TTL).expect("issued");
    let refused = verify(&keys, ticket.expose(), &[Kind::Access], now()).expect_err("refused");
    assert_eq!(refused.code, Code::Unauthenticated);
}

#[test]
fn the_corpus_itself_starts_from_a_good_token() {
    let token = signed(&good_header().to_string(), &good_claims().to_string(), &secret());
    assert!(verify(&keys(), &token, BOTH, now()).is_ok());
}

#[test]
fn headers_that_lie() {
    let claims = good_claims().to_string();
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([9; 32])});
    let headers = [
        with(good_header(), "alg", json!("none")),
        with(good_header(), "alg", json!("None")),
        with(good_header(), "alg", json!("HS384")),
        with(good_header(), "alg", json!("RS256")),
        with(good_header(), "alg", json!("EdDSA")),
        with(good_header(), "alg", json!(null)),
        without(good_header(), "alg"),
        with(good_header(), "kid", json!("k2")),
        with(good_header(), "kid", json!("../../etc/passwd")),
        with(good_header(), "kid", json!("k1\u{0}")),
        with(good_header(), "kid", json!("' or 1=1 --")),
        with(good_header(), "kid", json!(1)),
        without(good_header(), "kid"),
        r#"{"alg":"HS256","kid":"k2","alg":"HS256","kid":"k1"}"#.into(),
        "[]".into(),
        "null".into(),
        "".into(),
    ];
    for header in headers {
        assert_eq!(
            refused(&signed(&header, &claims, &secret())),
            Code::Unauthenticated,
            "{header}"
        );
    }
    // A key that the token brings along is not the one that is used.
    for (field, value) in [
        ("jwk", jwk),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
    ] {
        let header = with(good_header(), field, value);
        assert_eq!(refused(&signed(&header, &claims, &[9; 32])), Code::Unauthenticated);
    }
}

#[test]
fn claims_that_lie() {
    let exp = now().seconds() + 900;
    let claims = [
        with(good_claims(), "exp", json!(exp.to_string())),
        with(good_claims(), "exp", json!(exp as f64 + 0.5)),
        with(good_claims(), "exp", json!(1e300)),
        with(good_claims(), "exp", json!(null)),
        with(good_claims(), "exp", json!(u64::MAX)),
        without(good_claims(), "exp"),
        with(good_claims(), "aud", json!("other")),
        with(good_claims(), "aud", json!(["parley"])),
        without(good_claims(), "aud"),
        with(good_claims(), "iss", json!("other")),
        without(good_claims(), "iss"),
        with(good_claims(), "typ", json!("refresh")),
        without(good_claims(), "typ"),
        with(good_claims(), "sub", json!("nobody")),
        without(good_claims(), "did"),
        without(good_claims(), "epoch"),
        without(good_claims(), "jti"),
        good_claims().to_string().replacen('{', r#"{"exp":99999999999,"#, 1),
        good_claims().to_string().replacen(
            '{',
            r#"{"sub":"00000000-0000-0000-0000-000000000009","#,
            1,
        ),
        "[".repeat(500),
        "".into(),
    ];
    for claims in claims {
        let token = signed(&good_header().to_string(), &claims, &secret());
        assert_eq!(refused(&token), Code::Unauthenticated, "{claims}");
    }
    for exp in [-1, 0, i64::MIN, i64::MAX] {
        let claims = with(good_claims(), "exp", json!(exp));
        refused(&signed(&good_header().to_string(), &claims, &secret()));
    }
}

#[test]
fn text_that_is_no_token() {
    let good = signed(&good_header().to_string(), &good_claims().to_string(), &secret());
    let (message, _) = good.rsplit_once('.').expect("three parts");
    let others = [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        "a.b.c.d".into(),
        message.into(),
        format!("{message}."),
        format!("{good}="),
        format!("{good}."),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', "\u{0}"),
        "é.é.é".into(),
        "x".repeat(64 * 1024),
        format!("{good}{}", "A".repeat(64 * 1024)),
        signed(&good_header().to_string(), &good_claims().to_string(), &[9; 32]),
    ];
    for token in others {
        assert_eq!(refused(&token), Code::Unauthenticated);
    }
}
