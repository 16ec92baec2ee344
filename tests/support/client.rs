//! A person with an account and devices, over real HTTP and WebSockets.

use std::collections::HashMap;

use futures_util::{SinkExt, StreamExt};
use parley::model::*;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message as Raw, client::IntoClientRequest},
};

use super::limits::{QUIET, SOON};

pub const PASSWORD: &str = "correct horse battery";

/// The REST API of one replica, as one person or as nobody.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub token: Option<String>,
    http: reqwest::Client,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, or a panic that shows what came instead.
    #[track_caller]
    pub fn ok<T: serde::de::DeserializeOwned>(self) -> T {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        serde_json::from_value(self.body.clone())
            .unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The stable code of a refusal with this status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        assert_eq!(kind, Some("application/problem+json"), "{}", self.body);
        self.body["code"].as_str().expect("a code")
    }
}

impl Api {
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), token: None, http: reqwest::Client::new() }
    }

    /// The same person on another replica.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).timeout(SOON);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn run(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_run(request).await.expect("the gateway answers")
    }

    pub async fn try_run(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.run(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.run(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.run(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.run(self.request(Method::DELETE, path)).await
    }
}

/// Somebody who has registered; derefs to their API.
#[derive(Clone)]
pub struct Person {
    pub api: Api,
    pub user: User,
    pub device: DeviceId,
    pub refresh_token: String,
    pub device_secret: String,
}

impl std::ops::Deref for Person {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Person {
    pub async fn register(base: &str, username: &str) -> Self {
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = Api::new(base).post("/auth/register", body).await;
        Self::of(base, answer.ok())
    }

    pub async fn login(base: &str, username: &str) -> Self {
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = Api::new(base).post("/auth/login", body).await;
        Self::of(base, answer.ok())
    }

    fn of(base: &str, signed_in: Value) -> Self {
        let text = |name: &str| signed_in[name].as_str().expect(name).to_owned();
        let mut api = Api::new(base);
        api.token = Some(text("access_token"));
        Self {
            api,
            user: serde_json::from_value(signed_in["user"].clone()).expect("a user"),
            device: serde_json::from_value(signed_in["device"]["id"].clone()).expect("a device"),
            refresh_token: text("refresh_token"),
            device_secret: text("device_secret"),
        }
    }

    /// The same session, talking to another replica.
    pub fn at(&self, base: &str) -> Self {
        Self { api: self.api.at(base), ..self.clone() }
    }

    pub fn id(&self) -> UserId {
        self.user.id
    }

    pub async fn direct(&self, other: &Person) -> Conversation {
        let body = json!({ "kind": "direct", "participant_ids": [other.id()] });
        self.post("/conversations", body).await.ok()
    }

    pub async fn group(&self, title: &str, others: &[&Person]) -> Conversation {
        let others: Vec<_> = others.iter().map(|person| person.id()).collect();
        let body = json!({ "kind": "group", "title": title, "participant_ids": others });
        self.post("/conversations", body).await.ok()
    }

    pub async fn say(&self, to: ConversationId, text: &str) -> Message {
        let body = json!({ "client_msg_id": ClientMessageId::new(), "body": text });
        self.post(&format!("/conversations/{to}/messages"), body).await.ok()
    }

    pub async fn conversation(&self, id: ConversationId) -> Conversation {
        self.get(&format!("/conversations/{id}")).await.ok()
    }

    pub async fn connect(&self) -> Device {
        Device::connect(self, Cursors::new()).await
    }

    pub async fn resume(&self, cursors: Cursors) -> Device {
        Device::connect(self, cursors).await
    }
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A live socket. Frames are consumed in the order they came; those that a
/// wait passes over are gone.
pub struct Device {
    pub socket: Socket,
    pub ready: Ready,
    pub snapshot: Vec<Conversation>,
    /// What came between the snapshot and `live`.
    pub missed: Vec<ServerFrame>,
    next_id: i64,
}

/// How a socket ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Closed(u16),
    Lost,
}

impl Device {
    /// Up to `live`.
    pub async fn connect(person: &Person, cursors: Cursors) -> Self {
        Self::try_connect(person, cursors).await.expect("the socket opens")
    }

    /// Up to `live`, from a replica that may be ending.
    pub async fn try_connect(person: &Person, cursors: Cursors) -> Result<Self, Ended> {
        let socket = open(person).await.map_err(|_| Ended::Lost)?;
        Self::try_live(socket, cursors).await
    }

    /// From an open socket up to `live`.
    pub async fn try_live(socket: Socket, cursors: Cursors) -> Result<Self, Ended> {
        let mut device = Self::try_over(socket).await?;
        device.try_hello(cursors).await?;
        Ok(device)
    }

    /// Up to `ready`.
    pub async fn over(socket: Socket) -> Self {
        Self::try_over(socket).await.expect("ready")
    }

    async fn try_over(socket: Socket) -> Result<Self, Ended> {
        let empty = Ready {
            user: serde_json::from_value(json!({
                "id": UserId::new(), "username": "", "display_name": "",
                "created_at": "2026-01-01T00:00:00Z",
            }))
            .expect("a user"),
            device: DeviceId::new(),
            server_time: Timestamp::from_millis(0).expect("a time"),
            heartbeat_interval_ms: 0,
            max_frame_bytes: 0,
        };
        let mut device =
            Self { socket, ready: empty, snapshot: vec![], missed: vec![], next_id: 1 };
        match device.next_in_time().await? {
            ServerFrame::Ready { payload } => device.ready = payload,
            other => panic!("expected ready, got {other:?}"),
        }
        Ok(device)
    }

    pub async fn hello(&mut self, cursors: Cursors) {
        self.try_hello(cursors).await.expect("live");
    }

    async fn try_hello(&mut self, cursors: Cursors) -> Result<(), Ended> {
        let hello = json!({ "type": "hello", "payload": { "cursors": cursors, "client": "test" } });
        self.socket.send(Raw::text(hello.to_string())).await.map_err(|_| Ended::Lost)?;
        loop {
            match self.next_in_time().await? {
                ServerFrame::Conversations { payload } => self.snapshot.extend(payload.items),
                ServerFrame::Live { .. } => return Ok(()),
                other => self.missed.push(other),
            }
        }
    }

    pub async fn write(&mut self, frame: &Value) {
        self.socket.send(Raw::text(frame.to_string())).await.expect("the socket takes a frame");
    }

    /// The next frame that is not a heartbeat.
    pub async fn next(&mut self) -> ServerFrame {
        self.next_in_time().await.unwrap_or_else(|ended| panic!("the socket: {ended:?}"))
    }

    async fn next_in_time(&mut self) -> Result<ServerFrame, Ended> {
        tokio::time::timeout(SOON, self.next_or_end()).await.expect("a frame in time")
    }

    /// The next frame, or how the socket ended.
    pub async fn next_or_end(&mut self) -> Result<ServerFrame, Ended> {
        loop {
            match self.socket.next().await {
                Some(Ok(Raw::Text(text))) => {
                    let frame = serde_json::from_str(text.as_str())
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                    match frame {
                        ServerFrame::Heartbeat { .. } => {}
                        frame => return Ok(frame),
                    }
                }
                Some(Ok(Raw::Close(Some(close)))) => return Err(Ended::Closed(close.code.into())),
                Some(Ok(Raw::Close(None))) | None | Some(Err(_)) => return Err(Ended::Lost),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Reads on until the socket ends.
    pub async fn ended(&mut self) -> Ended {
        let ended = async {
            loop {
                if let Err(ended) = self.next_or_end().await {
                    return ended;
                }
            }
        };
        tokio::time::timeout(SOON, ended).await.expect("the socket ends in time")
    }

    /// Passes over frames until one fits.
    pub async fn until<T>(&mut self, mut fits: impl FnMut(&ServerFrame) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let found = async {
            loop {
                match self.next_or_end().await {
                    Ok(frame) => match fits(&frame) {
                        Some(found) => return found,
                        None => passed.push(frame),
                    },
                    Err(ended) => panic!("the socket {ended:?} after {passed:#?}"),
                }
            }
        };
        match tokio::time::timeout(SOON, found).await {
            Ok(found) => found,
            Err(_) => panic!("not in time"),
        }
    }

    /// Nothing but presence comes for a while.
    pub async fn stays_quiet(&mut self) {
        let noise = async {
            loop {
                match self.next_or_end().await {
                    Ok(ServerFrame::PresenceUpdated { .. }) => {}
                    other => return other,
                }
            }
        };
        if let Ok(frame) = tokio::time::timeout(QUIET, noise).await {
            panic!("expected silence, got {frame:?}");
        }
    }

    /// Sends a frame and returns its answer.
    pub async fn ask(&mut self, kind: &str, payload: Value) -> Result<Ack, FrameError> {
        let id = self.post(kind, payload).await;
        self.answer(id).await
    }

    /// Sends a frame; its id.
    pub async fn post(&mut self, kind: &str, payload: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.write(&json!({ "type": kind, "id": id, "payload": payload })).await;
        id
    }

    pub async fn answer(&mut self, to: i64) -> Result<Ack, FrameError> {
        let to = Some(FrameId::Number(to));
        self.until(|frame| match frame {
            ServerFrame::Ack { id, payload } if *id == to => Some(Ok(payload.clone())),
            ServerFrame::Error { id, payload } if *id == to => Some(Err(payload.clone())),
            _ => None,
        })
        .await
    }

    pub async fn send(&mut self, to: ConversationId, text: &str) -> SendAck {
        self.send_as(to, ClientMessageId::new(), text).await.expect("an ack")
    }

    pub async fn send_as(
        &mut self,
        to: ConversationId,
        id: ClientMessageId,
        text: &str,
    ) -> Result<SendAck, FrameError> {
        let payload = json!({ "conversation_id": to, "client_msg_id": id, "body": text });
        match self.ask("message.send", payload).await? {
            Ack::Sent(ack) => Ok(ack),
            other => panic!("not an ack of a send: {other:?}"),
        }
    }

    /// The next new message of a conversation.
    pub async fn message(&mut self, of: ConversationId) -> Message {
        self.until(|frame| match frame {
            ServerFrame::MessageNew { conversation_id, payload, .. } if *conversation_id == of => {
                Some(payload.clone())
            }
            _ => None,
        })
        .await
    }

    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
    }
}

/// Opens a socket with the person's access token.
pub async fn open(person: &Person) -> Result<Socket, tungstenite::Error> {
    let token = person.token.as_deref().unwrap_or_default();
    let headers = HashMap::from([("authorization", format!("Bearer {token}"))]);
    open_with(&person.base, "", headers).await
}

pub async fn open_with(
    base: &str,
    query: &str,
    headers: HashMap<&'static str, String>,
) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}/ws{query}", base.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().expect("a header value"));
    }
    let (socket, _) = tokio_tungstenite::connect_async(request).await?;
    Ok(socket)
}
