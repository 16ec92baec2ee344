//! Whether people are seen online when they are, and only then.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use parley::model::PresenceStatus;
use tokio::time::Instant;

use super::{cast::Cast, device::Order, history::Rule, world::World};

const EVERY: Duration = Duration::from_millis(500);
/// Nobody is wrong about somebody for longer than this.
pub const WRONG_AT_MOST: Duration = Duration::from_secs(60);
/// People whose devices are all gone when the quiet begins.
const GONE: usize = 3;

/// The last few people leave with all their devices.
pub fn let_some_go(cast: &Cast) {
    for device in cast.devices.iter().rev().take(GONE * cast.devices_each) {
        device.order.send_replace(Order::Offline);
    }
}

/// Compares, for as long as the run lasts, what every device shows of everybody
/// with what is so.
pub async fn observe(world: Arc<World>, cast: Arc<Cast>) {
    let begun = Instant::now();
    // Since when each person has been, and each device has shown, as they do.
    let mut people = vec![(false, begun); cast.people.len()];
    let mut viewers = vec![(false, begun); cast.devices.len()];
    let mut told = false;
    loop {
        super::pause(EVERY).await;
        let now = Instant::now();
        let update = |held: &mut (bool, Instant), is: bool| {
            if held.0 != is {
                *held = (is, now);
            }
        };
        for (n, person) in people.iter_mut().enumerate() {
            update(person, cast.devices_of(n).iter().any(|device| device.is_live()));
        }
        for (viewer, device) in viewers.iter_mut().zip(&cast.devices) {
            update(viewer, device.is_live());
        }
        for ((is_live, since), device) in viewers.iter().zip(&cast.devices) {
            if !is_live {
                continue;
            }
            let view = device.view.lock();
            for ((online, changed), person) in people.iter().zip(&cast.people) {
                let shown = view.presence.get(&person.id());
                let wrong = match (shown, online) {
                    (Some(PresenceStatus::Offline), true) => &world.figures.false_offline,
                    (Some(PresenceStatus::Online | PresenceStatus::Away), false) => {
                        &world.figures.false_online
                    }
                    _ => continue,
                };
                let time = now.duration_since((*since).max(*changed));
                wrong.fetch_max(time.as_millis() as u64, Relaxed);
                if time > WRONG_AT_MOST && !std::mem::replace(&mut told, true) {
                    let what = format!("{shown:?} of {} for {time:?}", person.user.username);
                    world.history.violation(Rule::Presence, what);
                }
            }
        }
    }
}

/// What every device shows in the end, which must be so.
pub async fn check(world: &World, cast: &Cast) {
    let wrong = || {
        let live = cast.devices.iter().filter(|device| device.is_live());
        for (n, device) in live.enumerate() {
            let view = device.view.lock();
            for (who, person) in cast.people.iter().enumerate() {
                let online = cast.devices_of(who).iter().any(|device| device.is_live());
                let shown = view.presence.get(&person.id()).copied();
                let right = match shown {
                    Some(PresenceStatus::Online) => online,
                    Some(PresenceStatus::Offline) => !online,
                    _ => false,
                };
                if !right {
                    let name = &person.user.username;
                    return Some(format!("device {n} shows {shown:?} of {name}, online: {online}"));
                }
            }
        }
        None
    };
    let right = super::within(WRONG_AT_MOST, || wrong().is_none().then_some(())).await;
    if right.is_none() {
        world.history.violation(Rule::Presence, wrong().unwrap_or_default());
    }
}
