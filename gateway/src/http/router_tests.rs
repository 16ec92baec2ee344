//! Rules that every route keeps, asked of the router itself.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::{
    auth::{AuthSettings, KeySet, Keys, keys::Key},
    bus::Bus,
    cache::{Cache, limits::Limits},
    clock::Clock,
    hub::{DepartureSettings, Hub},
    metrics::Metrics,
    shutdown::Shutdown,
    store::{Store, StoreOptions},
};

/// A router whose database is a file that nobody has made: everything up to
/// the store, and what happens when that cannot be reached.
fn edge() -> Router {
    let options = StoreOptions {
        url: "sqlite:///nowhere/parley.db".into(),
        max_connections: 1,
        connect_timeout: Duration::from_secs(1),
    };
    let store = Store::open(&options).expect("building a store needs no database");
    let (clock, metrics, shutdown) = (Clock::default(), Metrics::new(), Shutdown::new());
    let key = Key::generate(clock.now(), clock.now()).expect("a key");
    let keys = Keys::fixed(KeySet::new(vec![key]).expect("a set"));
    let settings = AuthSettings::default();
    let cache = Cache::local(true, Duration::from_secs(5));
    let limits = Limits::Off;
    let auth = Auth::new(store.clone(), clock.clone(), keys, limits, cache.clone(), settings);
    let auth = auth.expect("auth");
    let (bus, _arrivals) = Bus::local();
    let hub = Hub::new(
        store.clone(),
        bus,
        1,
        clock.clone(),
        metrics.clone(),
        shutdown.clone(),
        DepartureSettings::default(),
    );
    let chat = Chat::new(store, cache, hub, clock, metrics.clone(), shutdown, Default::default());
    let settings = HttpSettings {
        allowed_origins: Arc::new([Origin::parse("https://app.example").expect("an origin")]),
        ..HttpSettings::default()
    };
    let broken = Router::new().route("/panics", get(async || -> () { panic!("on purpose") }));
    router(AppState { auth, chat, metrics, settings: Arc::new(settings) }, broken, |routes| routes)
}

async fn ask(request: Request<Body>) -> Response<Body> {
    edge().oneshot(request).await.expect("an answer")
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "chat.example")
}

async fn problem_of(response: Response<Body>) -> ProblemBody {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    let problem: ProblemBody = serde_json::from_slice(&bytes).expect("a problem");
    assert_eq!(problem.status, status);
    problem
}

/// Method and path of every documented operation.
fn operations() -> Vec<(String, String)> {
    let document = serde_json::to_value(openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, item) in paths {
        for method in item.as_object().expect("an item").keys() {
            found.push((method.to_uppercase(), path.clone()));
        }
    }
    found
}

fn filled(path: &str) -> String {
    let id = "0190a5e4-0000-7000-8000-000000000001";
    let parts = path.split('/').map(|part| match part {
        "{seq}" => "1",
        part if part.starts_with('{') => id,
        part => part,
    });
    let path = parts.collect::<Vec<_>>().join("/");
    if path == "/users" { "/users?query=a".into() } else { path }
}

/// What a stranger may ask for. Whoever adds to this list says why.
const OPEN: [(&str, &str); 3] = [
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    // With a refresh token, which is checked by the handler.
    ("POST", "/auth/refresh"),
];

#[tokio::test]
async fn every_other_route_wants_an_access_token() {
    let mut open = BTreeSet::new();
    for (method, path) in operations() {
        let bare = request(&method, &filled(&path)).body(Body::empty()).expect("a request");
        let response = ask(bare).await;
        let status = response.status();
        assert!(status != 404 && status != 405, "{method} {path} is documented, not routed");
        let problem = problem_of(response).await;
        let refused = status == StatusCode::UNAUTHORIZED && problem.code == "unauthenticated";
        if !refused || path == "/auth/refresh" {
            open.insert((method, path));
        }
    }
    let expected = OPEN.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(open, BTreeSet::from(expected));
}

#[tokio::test]
async fn tokens_that_are_none_are_401_everywhere() {
    for (method, path) in operations() {
        if OPEN.contains(&(&method, &path)) {
            continue;
        }
        for token in ["x", "a.b.c", &"x".repeat(6_000)] {
            let bearer = format!("Bearer {token}");
            let request = request(&method, &filled(&path))
                .header(header::AUTHORIZATION, bearer)
                .body(Body::empty())
                .expect("a request");
            let response = ask(request).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
        }
    }
}

#[tokio::test]
async fn every_route_of_the_contract_is_documented() {
    let documented: BTreeSet<_> =
        operations().into_iter().map(|(method, path)| format!("{method} {path}")).collect();
    let group = "/conversations/{conversation_id}";
    let mut contract = BTreeSet::from(
        [
            "POST /auth/register",
            "POST /auth/login",
            "POST /auth/refresh",
            "POST /auth/logout",
            "POST /auth/logout-all",
            "POST /auth/ticket",
            "GET /users/me",
            "PATCH /users/me",
            "DELETE /users/me",
            "POST /users/me/password",
            "GET /users",
            "GET /users/{user_id}",
            "GET /devices",
            "DELETE /devices/{device_id}",
            "POST /conversations",
            "GET /conversations",
            "POST /sync",
        ]
        .map(str::to_owned),
    );
    for (methods, rest) in [
        ("GET PATCH", ""),
        ("PATCH", "/me"),
        ("GET POST", "/participants"),
        ("DELETE PATCH", "/participants/{user_id}"),
        ("GET POST", "/messages"),
        ("PATCH DELETE", "/messages/{seq}"),
        ("POST", "/read"),
    ] {
        contract.extend(methods.split(' ').map(|method| format!("{method} {group}{rest}")));
    }
    assert_eq!(documented, contract);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let oversized = Body::from(vec![b' '; 100_000]);
    let asked = [
        (request("GET", "/").body(Body::empty()), 200),
        (request("GET", "/c/anything").body(Body::empty()), 200),
        (request("GET", "/openapi.json").body(Body::empty()), 200),
        (request("GET", "/docs/").body(Body::empty()), 200),
        (request("GET", "/nothing/here").body(Body::empty()), 404),
        (request("PUT", "/users/me").body(Body::empty()), 405),
        (request("GET", "/users/me").body(Body::empty()), 401),
        (request("POST", "/auth/login").body(Body::empty()), 415),
        (
            request("POST", "/auth/login")
                .header(header::CONTENT_TYPE, "application/json")
                .body(oversized),
            400,
        ),
        (request("GET", "/panics").body(Body::empty()), 500),
    ];
    for (request, status) in asked {
        let request = request.expect("a request");
        let path = request.uri().path().to_owned();
        let response = ask(request).await;
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        for rule in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'self' 'unsafe"));
        if status >= 400 {
            assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
        }
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    for path in ["/nothing", "/auth", "/conversations/x/y/z", "/assets/none.js", "/%00", "/a%2fb"] {
        let answer = ask(request("GET", path).body(Body::empty()).expect("a request")).await;
        assert_eq!(problem_of(answer).await.code, "not_found", "{path}");
    }
    let answer = ask(request("PUT", "/users/me").body(Body::empty()).expect("a request")).await;
    let allowed = answer.headers()[header::ALLOW].to_str().expect("text").to_owned();
    assert!(allowed.contains("GET") && allowed.contains("PATCH"), "{allowed}");
    assert_eq!(problem_of(answer).await.code, "method_not_allowed");
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let answer = ask(request("GET", "/panics").body(Body::empty()).expect("a request")).await;
    let problem = problem_of(answer).await;
    assert_eq!(problem.code, "internal");
    assert!(!problem.detail.contains("on purpose"));
}

#[tokio::test]
async fn only_pages_of_the_allowlist_may_read_answers() {
    let preflight = async |origin: &str| {
        let request = request("OPTIONS", "/users/me")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
            .body(Body::empty())
            .expect("a request");
        ask(request).await
    };
    let friend = preflight("https://app.example").await;
    assert_eq!(friend.status(), StatusCode::NO_CONTENT);
    assert_eq!(friend.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
    for stranger in
        ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"]
    {
        let answer = preflight(stranger).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        for name in [header::ACCESS_CONTROL_ALLOW_ORIGIN, header::ACCESS_CONTROL_ALLOW_CREDENTIALS]
        {
            assert!(!answer.headers().contains_key(name), "{stranger}");
        }
    }
}

#[tokio::test]
async fn strangers_pages_may_not_sign_anybody_in_and_cookies_need_a_page() {
    let body = r#"{"username":"ann","password":"correct horse"}"#;
    for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
        for origin in ["https://evil.example", "null", "https://chat.example:444"] {
            let request = request("POST", path)
                .header(header::ORIGIN, origin)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body))
                .expect("a request");
            assert_eq!(problem_of(ask(request).await).await.code, "origin_refused", "{path}");
        }
    }
    for path in ["/auth/refresh", "/auth/logout"] {
        let request = request("POST", path)
            .header(header::COOKIE, "parley_refresh=x.1.k.m")
            .body(Body::empty())
            .expect("a request");
        assert_eq!(problem_of(ask(request).await).await.code, "origin_refused", "{path}");
    }
}

#[tokio::test]
async fn the_documents_need_nothing_from_elsewhere() {
    for path in [
        "/docs/",
        "/docs/swagger-initializer.js",
        "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js",
    ] {
        let answer = ask(request("GET", path).body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        if path.ends_with("bundle.js") {
            continue;
        }
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("src=\"http") && !text.contains("url(http"), "{path}");
    }
    let away = ask(request("GET", "/docs").body(Body::empty()).expect("a request")).await;
    assert_eq!(away.headers()[header::LOCATION], "/docs/");
    let missing =
        ask(request("GET", "/docs/../../etc/passwd").body(Body::empty()).expect("a request"));
    assert_eq!(missing.await.status(), StatusCode::NOT_FOUND);
    let head = Request::builder().method(Method::HEAD).uri("/openapi.json");
    assert_eq!(ask(head.body(Body::empty()).expect("a request")).await.status(), StatusCode::OK);
}

#[test]
fn the_document_describes_every_problem() {
    let document = serde_json::to_value(openapi()).expect("JSON");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for (status, response) in responses {
                if status.starts_with(['4', '5']) {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }
    assert!(document["components"]["securitySchemes"]["bearer"].is_object());
}
