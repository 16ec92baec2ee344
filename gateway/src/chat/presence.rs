//! Who is here, and who types. Best effort by nature: nothing of it is stored
//! but when a device was last seen.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::Chat;
use crate::{
    cache::{LeaseId, Transition},
    model::*,
    problem::Problem,
};

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long all replicas together take to renew their leases.
const SETTLING: Duration = Duration::from_secs(3);
/// Typing ends by itself after this.
const TYPING_EXPIRES: Duration = Duration::from_secs(6);

impl Chat {
    /// Takes or renews the lease of a connection.
    pub async fn lease(
        &self,
        who: Principal,
        lease: LeaseId,
        status: SettablePresence,
        valid_for: Duration,
    ) {
        let now = self.inner.clock.now();
        let news = self.inner.cache.lease(who.user, lease, status, now, valid_for).await;
        if let Some(news) = news {
            self.tell_presence(&[news]).await;
        }
    }

    /// Ends the lease of a connection, and notes when its device was last seen.
    pub async fn release(&self, who: Principal, lease: LeaseId) {
        let now = self.inner.clock.now();
        self.inner.cache.release(who.user, lease, now).await;
        if let Err(error) = self.inner.store.touch_device(who.device, now).await {
            tracing::debug!(%error, "last seen not noted");
        }
    }

    /// In the order asked; when last seen is told of who is offline.
    pub async fn presences(&self, users: &[UserId]) -> Result<Vec<Presence>, Problem> {
        let statuses = self.inner.cache.statuses(users).await;
        let offline = |status: &PresenceStatus| *status == PresenceStatus::Offline;
        let gone = users.iter().zip(&statuses).filter(|(_, status)| offline(status));
        let gone: Vec<_> = gone.map(|(user, _)| *user).collect();
        let seen: HashMap<_, _> = match gone.is_empty() {
            true => HashMap::new(),
            false => self.inner.store.last_seen(&gone).await?.into_iter().collect(),
        };
        let presence = |(user, status): (&UserId, PresenceStatus)| Presence {
            user_id: *user,
            status,
            last_seen_at: seen.get(user).copied(),
        };
        Ok(users.iter().zip(statuses).map(presence).collect())
    }

    /// Ends leases that ran out, and tells of it, until `stop`.
    pub async fn sweep_presence(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        let mut outages = self.inner.cache.outages();
        let mut settled_at = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                known = changed(&mut outages) => {
                    if known {
                        settled_at = Some(self.settle());
                    } else {
                        // Unknown is told at once.
                        self.inner.hub.refresh_presence();
                    }
                    continue;
                }
            }
            let (now, begun) = (self.inner.clock.now(), Instant::now());
            let swept = self.inner.cache.sweep(now).await;
            self.inner.metrics.presence_swept(begun.elapsed());
            self.tell_presence(&swept.transitions).await;
            if swept.lost {
                tracing::warn!("presence was lost; taking all leases anew");
                settled_at = Some(self.settle());
            }
            if settled_at.is_some_and(|at| at <= Instant::now()) {
                settled_at = None;
                self.inner.hub.refresh_presence();
            }
        }
    }

    /// Whoever is here says so again; whoever is not, nobody will ever tell of:
    /// they are unknown until all have had time to speak, and then everybody
    /// asks. When that is.
    fn settle(&self) -> Instant {
        self.inner.cache.settle(SETTLING);
        self.inner.hub.renew_leases();
        Instant::now() + SETTLING
    }

    async fn tell_presence(&self, transitions: &[Transition]) {
        let mut overtaken = self.tell_once(transitions).await;
        while !overtaken.is_empty() {
            overtaken = self.tell_once(&overtaken).await;
        }
    }

    /// What of it has changed meanwhile.
    async fn tell_once(&self, transitions: &[Transition]) -> Vec<Transition> {
        if transitions.is_empty() {
            return vec![];
        }
        let now = self.inner.clock.now();
        let signal = |Transition { user, status }: &Transition| {
            let last_seen_at = (*status == PresenceStatus::Offline).then_some(now);
            let presence = Presence { user_id: *user, status: *status, last_seen_at };
            (Topic::User(*user), Signal::Presence { presence })
        };
        let signals = transitions.iter().map(signal).collect();
        // Nobody asks again by himself: what was not heard is found again by a
        // later sweep.
        match self.inner.hub.signal_surely(signals).await {
            true => self.inner.cache.told(transitions).await,
            false => vec![],
        }
    }

    /// Tells the others that somebody types, or stopped.
    pub fn typing(&self, who: Principal, typing: UserTyping) {
        let payload = Typing {
            user_id: who.user,
            typing: typing.typing,
            expires_in_ms: u64::try_from(TYPING_EXPIRES.as_millis()).unwrap_or_default(),
        };
        let conversation_id = typing.conversation_id;
        let frame = Encoded::new(&ServerFrame::UserTyping { conversation_id, payload });
        let signal = Signal::Typing { user_id: who.user, frame };
        self.inner.hub.signal(Topic::Conversation(conversation_id), signal);
    }
}

/// Waits for a change, and tells what it is now; for ever where there is
/// nothing to change.
async fn changed(watched: &mut Option<watch::Receiver<bool>>) -> bool {
    if let Some(receiver) = watched
        && receiver.changed().await.is_ok()
    {
        return *receiver.borrow_and_update();
    }
    std::future::pending().await
}
