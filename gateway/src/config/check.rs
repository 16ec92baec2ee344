//! What values must be, alone and together.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::{Config, values::duration::show};

/// A sentence for each rule that is broken.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rule = |holds: bool, sentence: &dyn Fn() -> String| {
        if !holds {
            problems.push(sentence());
        }
    };

    rule(config.listen != config.admin_listen || config.listen.port() == 0, &|| {
        format!("listen and admin_listen are both {}; they need two ports.", config.listen)
    });
    for origin in &config.allowed_origins {
        rule(is_origin(origin), &|| {
            format!(
                "allowed_origins: `{origin}` is not an origin; write scheme, host and port only, \
                 such as https://chat.example.org."
            )
        });
    }
    let (certificate, key) = (&config.tls_certificate_file, &config.tls_key_file);
    rule(certificate.as_os_str().is_empty() == key.as_os_str().is_empty(), &|| {
        "tls_certificate_file and tls_key_file belong together; set both, or neither.".into()
    });
    database(config, &mut rule);
    durations(config, &mut rule);

    rule(config.max_connections >= 1, &|| "max_connections must be at least 1.".into());
    rule(config.max_connections_per_user >= 1, &|| {
        "max_connections_per_user must be at least 1.".into()
    });
    rule(config.max_devices_per_user >= 1, &|| "max_devices_per_user must be at least 1.".into());
    rule(config.resumes_at_once <= 1_000, &|| "resumes_at_once: at most 1000.".into());
    rule(config.database_max_connections >= 2, &|| {
        "database_max_connections must be at least 2.".into()
    });
    rule(config.password_hashers <= 64, &|| {
        format!(
            "password_hashers is {}; at most 64 are allowed (19 MiB of memory each).",
            config.password_hashers
        )
    });
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    rule(config.replica.len() <= 64 && config.replica.chars().all(allowed), &|| {
        "replica may have at most 64 letters, digits, '-', '.' and '_'.".into()
    });
    rule(EnvFilter::try_new(&config.log_level).is_ok(), &|| {
        format!(
            "log_level: `{}` is not a level (error, warn, info, debug, trace) or a list such as \
             info,parley::ws=debug.",
            config.log_level
        )
    });
    problems
}

type Rule<'a> = dyn FnMut(bool, &dyn Fn() -> String) + 'a;

fn database(config: &Config, rule: &mut Rule<'_>) {
    let scheme = config.database_url.scheme();
    let redis = config.redis_url.scheme();
    rule(matches!(scheme.as_str(), "sqlite" | "postgres" | "postgresql"), &|| {
        "database_url must begin with sqlite:// or postgres://.".into()
    });
    if config.redis_url.is_empty() {
        return;
    }
    if !matches!(redis.as_str(), "redis" | "rediss" | "redis-cluster" | "rediss-cluster") {
        rule(false, &|| {
            "redis_url must begin with redis://, rediss:// or redis-cluster://.".into()
        });
    } else if config.is_embedded() {
        rule(false, &|| {
            "redis_url is set, but the database is SQLite, which one replica alone can use: \
             set database_url to a postgres:// URL, or leave redis_url empty."
                .into()
        });
    }
}

fn durations(config: &Config, rule: &mut Rule<'_>) {
    const DAY: Duration = Duration::from_secs(86_400);
    let all = [
        ("feed_interval", config.feed_interval, Duration::from_secs(60)),
        ("access_token_ttl", config.access_token_ttl, DAY),
        ("refresh_token_ttl", config.refresh_token_ttl, DAY * 400),
        ("header_timeout", config.header_timeout, DAY),
        ("request_timeout", config.request_timeout, DAY),
        ("heartbeat_interval", config.heartbeat_interval, DAY),
        ("idle_timeout", config.idle_timeout, DAY),
        ("stalled_timeout", config.stalled_timeout, DAY),
        ("resume_patience", config.resume_patience, Duration::from_secs(60)),
    ];
    for (key, value, most) in all {
        rule(!value.is_zero(), &|| format!("{key} must be longer than nothing."));
        rule(value <= most, &|| format!("{key} is {}; at most {}.", show(value), show(most)));
    }
    let age = config.max_connection_age;
    rule(age.is_zero() || (Duration::from_secs(1)..=DAY * 30).contains(&age), &|| {
        format!("max_connection_age is {}; it must be 1s to 30d, or 0 for none.", show(age))
    });
    rule(config.drain_window <= DAY, &|| "drain_window: at most 1d.".into());
    rule(config.presence_offline_after <= DAY, &|| "presence_offline_after: at most 1d.".into());
    rule(config.refresh_token_ttl > config.access_token_ttl, &|| {
        format!(
            "refresh_token_ttl ({}) must be longer than access_token_ttl ({}).",
            show(config.refresh_token_ttl),
            show(config.access_token_ttl)
        )
    });
    // Otherwise who waits for their turn is told that the outcome is unknown.
    rule(config.resume_patience < config.request_timeout, &|| {
        format!(
            "resume_patience ({}) must be shorter than request_timeout ({}).",
            show(config.resume_patience),
            show(config.request_timeout)
        )
    });
    // Otherwise a healthy but quiet peer would be taken for a dead one.
    rule(config.idle_timeout > config.heartbeat_interval, &|| {
        format!(
            "idle_timeout ({}) must be longer than heartbeat_interval ({}).",
            show(config.idle_timeout),
            show(config.heartbeat_interval)
        )
    });
}

fn is_origin(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
    else {
        return false;
    };
    !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' '])
}
