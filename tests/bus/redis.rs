//! What only a bus over Redis can do wrong.

use super::*;
use crate::support::redis::{RedisCluster, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_is_a_gap_and_everything_is_heard_again() {
    let redis = Server::start().await;
    let mut ends = two_ends_on(&redis.url()).await;
    let topics: Vec<_> = (0..1_200).map(|_| conversation()).collect();
    let names: Vec<_> = topics.iter().map(|(_, topic)| *topic).collect();
    ends.two.bus.subscribe(&names).await;
    for break_it in [Server::kill_pubsub, Server::kill] {
        break_it(&redis);
        if !redis.is_running() {
            redis.restart().await;
        }
        ends.two.gap().await;
        // Which of them it hears first is not ours to say.
        for (id, topic) in [topics[0], topics[600], topics[1_199]] {
            eventually("it is heard again", SOON, async || {
                ends.one.publish([(topic, entry(id, 1))]);
                let heard = timeout(QUIET, ends.two.arrivals.recv()).await;
                matches!(heard, Ok(Some(Arrival::Envelope(e))) if e.topic == topic).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_a_redis_that_is_frozen_or_gone() {
    let redis = Server::start().await;
    let ends = two_ends_on(&redis.url()).await;
    redis.freeze();
    let down = async || (!ends.one.bus.is_up()).then_some(());
    eventually("the silence is noticed", SOON, down).await;
    for _ in 0..50 {
        let (id, topic) = conversation();
        // Each would take its whole limit if it waited; fifty would not fit.
        let asked = async {
            ends.one.bus.subscribe(&[topic]).await;
            ends.one.publish([(topic, entry(id, 1))]);
            ends.one.bus.unsubscribe(&[topic]);
        };
        timeout(QUIET, asked).await.expect("at once");
    }
    redis.thaw();
    ends.one.is_heard().await;
    redis.kill();
    eventually("the end is noticed", SOON, down).await;
    redis.restart().await;
    ends.one.is_heard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_never_there_is_found_when_it_comes() {
    let redis = Server::start().await;
    redis.kill();
    let keys = keys();
    let mut ends =
        Ends { one: end_on(&redis.url(), 1, &keys), two: end_on(&redis.url(), 2, &keys) };
    let (id, topic) = conversation();
    timeout(QUIET, ends.two.bus.subscribe(&[topic])).await.expect("at once");
    redis.restart().await;
    ends.one.is_heard().await;
    ends.two.is_heard().await;
    // It was told that it would not hear for a while: now it does.
    ends.two.gap().await;
    ends.one.publish([(topic, entry(id, 1))]);
    assert_eq!(seq_of(&ends.two.next().await), 1);
}

/// Attack 23: write access to Redis must not forge a message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sealed_is_a_hint_at_most() {
    let redis = Server::start().await;
    let mut ends = two_ends_on(&redis.url()).await;
    let stranger = end_on(&redis.url(), 3, &keys());
    stranger.is_heard().await;
    let (id, topic) = conversation();
    ends.two.bus.subscribe(&[topic]).await;
    let hint = async |end: &mut End| match timeout(SOON, end.arrivals.recv()).await {
        Ok(Some(Arrival::Hint)) => {}
        other => panic!("expected a hint, got {other:?}"),
    };
    stranger.publish([(topic, entry(id, 1))]);
    hint(&mut ends.two).await;
    for forged in ["", "x", r#"{"type":"message.new"}"#] {
        redis.command(&["PUBLISH", &format!("conv:{id}"), forged]);
        hint(&mut ends.two).await;
    }
    let text = ends.two.metrics.render();
    assert!(text.contains(r#"parley_bus_refused_total{reason="unknown_key"} 1"#), "{text}");
    assert!(text.contains(r#"parley_bus_refused_total{reason="malformed"} 3"#), "{text}");
    // The others are none the worse for it.
    ends.one.publish([(topic, entry(id, 2))]);
    assert_eq!(seq_of(&ends.two.next().await), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_go_out_by_hundreds() {
    let redis = Server::start().await;
    let ends = two_ends_on(&redis.url()).await;
    let calls = || -> u64 {
        let stats = redis.command(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|l| l.strip_prefix("cmdstat_subscribe:calls="));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
    };
    let before = calls();
    let devices = (0..200).map(|_| {
        let topics: Vec<_> = (0..25).map(|_| conversation().1).collect();
        let bus = ends.one.bus.clone();
        async move { bus.subscribe(&topics).await }
    });
    futures_util::future::join_all(devices).await;
    let channels = redis.command(&["PUBSUB", "CHANNELS", "conv:*"]).lines().count();
    assert_eq!(channels, 5_000);
    let asked = calls() - before;
    assert!(asked <= 60, "{asked} commands for 5,000 channels of 200 devices");
}

/// Sharded pub/sub over three masters, one of which dies and one of whose slots
/// moves: what was subscribed to is heard again, and a gap says that something
/// may not have been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_changes_is_followed() {
    let redis = RedisCluster::start().await;
    let mut ends = two_ends_on(&redis.url()).await;
    let topics: Vec<_> = (0..60).map(|_| conversation()).collect();
    let names: Vec<_> = topics.iter().map(|(_, topic)| *topic).collect();
    ends.two.bus.subscribe(&names).await;
    let mut seq = 0;
    let mut all_heard = async |ends: &mut Ends, what: &str| {
        for (id, topic) in &topics {
            seq += 1;
            eventually(what, SOON, async || {
                ends.one.publish([(*topic, entry(*id, seq))]);
                let heard = timeout(QUIET, ends.two.arrivals.recv()).await;
                matches!(heard, Ok(Some(Arrival::Envelope(e))) if e.topic == *topic).then_some(())
            })
            .await;
        }
    };
    all_heard(&mut ends, "all masters carry it").await;

    let moved = format!("conv:{{{}}}", topics[0].0);
    redis.move_slot_of(&moved).await;
    ends.two.gap().await;
    all_heard(&mut ends, "a slot that moved is found").await;

    redis.kill_master_with_replica();
    redis.await_failover().await;
    ends.two.gap().await;
    all_heard(&mut ends, "the new master carries it").await;
}
