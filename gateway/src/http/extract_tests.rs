//! Bodies, paths and queries that a handler must never see.

use std::time::Instant;

use axum::http::Method;
use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Form {
    name: Option<String>,
}

fn request(headers: &[(&str, &str)], body: impl Into<Body>) -> Request {
    let mut request = Request::builder().method(Method::POST).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

async fn json(headers: &[(&str, &str)], body: impl Into<Body>) -> Result<Form, Problem> {
    Json::<Form>::from_request(request(headers, body), &()).await.map(|Json(form)| form)
}

async fn refused(headers: &[(&str, &str)], body: impl Into<Body>) -> Problem {
    json(headers, body).await.expect_err("refused")
}

#[tokio::test]
async fn good_bodies_are_read() {
    for media in ["application/json", "Application/JSON; charset=UTF-8", "application/a+json"] {
        let form = json(&[("content-type", media)], r#"{"name":"é"}"#).await;
        assert_eq!(form, Ok(Form { name: Some("é".into()) }), "{media}");
    }
}

#[tokio::test]
async fn other_media_and_compression_are_415() {
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        "",
        "application/json; charset=utf-16",
    ] {
        assert_eq!(
            refused(&[("content-type", media)], "{}").await.code,
            Code::UnsupportedMediaType
        );
    }
    assert_eq!(refused(&[], "{}").await.code, Code::UnsupportedMediaType);
    for coding in ["gzip", "br", "deflate", "gzip, identity"] {
        let headers = [JSON[0], ("content-encoding", coding)];
        assert_eq!(refused(&headers, "{}").await.code, Code::UnsupportedMediaType);
    }
}

#[tokio::test]
async fn malformed_bodies_are_400_with_a_sentence_and_at_once() {
    let deep = format!(r#"{{"name":{}"#, "[".repeat(60_000));
    let started = Instant::now();
    for body in [
        "",
        "{",
        "[]",
        "null",
        "1e999",
        "{\"name\":1}",
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a"}x"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":"\u0000"}"#,
        r#"{"other":1}"#,
        deep.as_str(),
    ] {
        let problem = refused(JSON, body.to_owned()).await;
        assert_eq!(problem.code, Code::InvalidRequest, "{body:.40}");
        assert!(problem.detail.contains("line 1"), "{}", problem.detail);
    }
    assert_eq!(refused(JSON, b"{\"name\":\"\xff\"}".to_vec()).await.code, Code::InvalidRequest);
    assert!(started.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn large_bodies_are_413() {
    let largest = format!(r#"{{"name":"{}"}}"#, "x".repeat(BODY_BYTES - 11));
    assert_eq!(largest.len(), BODY_BYTES);
    assert!(json(JSON, largest.clone()).await.is_ok());
    assert_eq!(refused(JSON, largest + " ").await.code, Code::PayloadTooLarge);
    assert_eq!(refused(JSON, vec![b' '; 1_000_000]).await.code, Code::PayloadTooLarge);
    let announced = [JSON[0], ("content-length", "1073741824")];
    assert_eq!(refused(&announced, "{}").await.code, Code::PayloadTooLarge);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let read = read(&HeaderMap::new(), Body::from_stream(never), Duration::from_millis(5)).await;
    assert_eq!(read.expect_err("refused").code, Code::InvalidRequest);
}

#[tokio::test]
async fn no_body_is_all_defaults_where_that_is_allowed() {
    let optional = async |headers: &[(&str, &str)], body: &'static str| {
        let request = request(headers, body);
        OptionalJson::<Form>::from_request(request, &()).await.map(|OptionalJson(form)| form)
    };
    assert_eq!(optional(&[], "").await, Ok(Form::default()));
    assert_eq!(optional(JSON, "").await, Ok(Form::default()));
    assert_eq!(optional(JSON, "{}").await, Ok(Form::default()));
    assert_eq!(optional(&[], "{}").await.expect_err("refused").code, Code::UnsupportedMediaType);
    assert_eq!(optional(JSON, "{").await.expect_err("refused").code, Code::InvalidRequest);
}

#[tokio::test]
async fn queries_are_strict() {
    let query = async |query: &str| {
        let request = Request::builder().uri(format!("/?{query}")).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        Query::<Form>::from_request_parts(&mut parts, &()).await.map(|Query(form)| form)
    };
    assert_eq!(query("name=a%20b").await, Ok(Form { name: Some("a b".into()) }));
    let long = format!("name={}", "x".repeat(QUERY_BYTES));
    for bad in ["other=1", "name=a&name=b", "name=a%00b", long.as_str()] {
        assert_eq!(query(bad).await.expect_err(bad).code, Code::InvalidRequest);
    }
}
