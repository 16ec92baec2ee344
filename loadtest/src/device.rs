//! One socket, up to `live`.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{Outcome, Seeded};

pub struct Device {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Device {
    pub async fn connect(url: &str, user: &Seeded) -> Outcome<Self> {
        let mut device = Self::open(url, user).await?;
        device.hello(&json!({})).await?;
        while device.next().await?["type"] != "live" {}
        Ok(device)
    }

    /// Up to the upgrade.
    pub async fn open(url: &str, user: &Seeded) -> Outcome<Self> {
        let mut request = format!("{url}/ws").into_client_request()?;
        let bearer = format!("Bearer {}", user.access_token).parse()?;
        request.headers_mut().insert("authorization", bearer);
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket })
    }

    pub async fn hello(&mut self, cursors: &Value) -> Outcome {
        self.write(&json!({ "type": "hello", "payload": { "cursors": cursors } })).await
    }

    pub async fn write(&mut self, frame: &Value) -> Outcome {
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    pub async fn next(&mut self) -> Outcome<Value> {
        loop {
            match self.socket.next().await.ok_or("the gateway closed the socket")?? {
                Message::Text(text) => return Ok(serde_json::from_str(text.as_str())?),
                Message::Close(close) => return Err(format!("closed: {close:?}").into()),
                _ => {}
            }
        }
    }

    /// Sends and waits for the acknowledgement: the message's seq.
    pub async fn send(&mut self, conversation: &str, body: &str) -> Outcome<i64> {
        let payload = json!({
            "conversation_id": conversation,
            "client_msg_id": uuid::Uuid::new_v4().to_string(),
            "body": body,
        });
        self.write(&json!({ "type": "message.send", "id": 1, "payload": payload })).await?;
        loop {
            let frame = self.next().await?;
            match frame["type"].as_str() {
                Some("ack") => return Ok(frame["payload"]["seq"].as_i64().unwrap_or_default()),
                Some("error") => return Err(frame.to_string().into()),
                _ => {}
            }
        }
    }
}
