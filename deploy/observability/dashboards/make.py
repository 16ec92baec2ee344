"""The dashboards beside this file, a line for each panel. `make gen` writes them."""

import json
from pathlib import Path

OURS = 'job="parley",namespace=~"$namespace"'
RATE = "[$__rate_interval]"


def rate(metric, by="", labels=""):
    """Per second, all replicas together or by labels."""
    labels = f",{labels}" if labels else ""
    by = f" by ({by})" if by else ""
    return f"sum{by} (rate({metric}{{{OURS}{labels}}}{RATE}))"


def seldom(expression):
    """Of what most installations never see: nothing is zero."""
    return f"{expression} or vector(0)"


def quantile(share, metric, by=""):
    by = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{OURS}}}{RATE})))"


def now(metric, by="instance", how="sum"):
    return f"{how} by ({by}) ({metric}{{{OURS}}})"


def record(name):
    return f'{name}{{namespace=~"$namespace"}}'


def percentiles(metric):
    return [(f"p{share * 100:g}", quantile(share, metric)) for share in (0.5, 0.99, 0.999)]


# Title, unit, and (legend, expression) for each line.
USERS = [
    ("Sockets", "short", [("{{instance}}", now("parley_connections"))]),
    ("Messages a second", "ops", [
        ("taken", rate("parley_messages_accepted_total")),
        ("repeats", rate("parley_messages_repeated_total")),
        ("{{reason}}", rate("parley_messages_rejected_total", "reason"))]),
    ("From accepting to writing to a socket", "s", [
        *percentiles("parley_delivery_seconds"),
        ("p99 {{path}}", quantile(0.99, "parley_delivery_seconds", "path"))]),
    ("Deliveries later than half a second", "percentunit", [
        ("5 min", record("parley:delivery_slow:ratio_rate5m")),
        ("1 h", record("parley:delivery_slow:ratio_rate1h"))]),
    ("Failed sends for each that was taken", "percentunit", [
        ("5 min", record("parley:send_errors:ratio_rate5m")),
        ("1 h", record("parley:send_errors:ratio_rate1h"))]),
    ("Failed connects", "percentunit", [("5 min", record("parley:connects_failed:ratio_rate5m"))]),
    ("Connects a second, and who was turned away", "ops", [
        ("opened", rate("parley_connections_opened_total")),
        ("full", rate("parley_connections_refused_total")),
        ("refused: {{reason}}", rate("parley_auth_failures_total", "reason"))]),
    ("Why sockets end, a second", "ops", [("{{cause}}", rate("parley_connections_closed_total", "cause"))]),
    ("From the upgrade to live", "s", percentiles("parley_handshake_seconds")),
    ("Requests a second", "ops", [("{{status}}", rate("parley_http_requests_total", "status"))]),
    ("Slowest routes (p99)", "s", [
        ("{{route}}", f'topk(5, {quantile(0.99, "parley_http_request_seconds", "route")})')]),
    ("Limited a second", "ops", [("{{limit}}", seldom(rate("parley_rate_limited_total", "limit")))]),
]

DELIVERY = [
    ("Commit", "s", percentiles("parley_commit_seconds")),
    ("Messages per commit", "short", [
        ("mean", f'{rate("parley_commit_batch_messages_sum")} / {rate("parley_commit_batch_messages_count")}')]),
    ("Recipients of an event", "short", [
        ("p50", quantile(0.5, "parley_fanout_recipients")), ("p99", quantile(0.99, "parley_fanout_recipients"))]),
    ("From another replica to here", "s", percentiles("parley_bus_lag_seconds")),
    ("Envelopes a second", "ops", [
        ("published", rate("parley_bus_published_total")), ("received", rate("parley_bus_received_total")),
        ("not published", rate("parley_bus_dropped_total")), ("too many at once", rate("parley_bus_lagged_total")),
        ("not believed: {{reason}}", seldom(rate("parley_bus_refused_total", "reason")))]),
    ("Bytes of envelopes a second", "Bps", [("received", rate("parley_bus_received_bytes_total"))]),
    ("The bus is heard", "bool", [("{{instance}}", now("parley_bus_subscription_up", how="min"))]),
    ("Trouble with the bus, a second", "ops", [
        ("may have lost something", rate("parley_bus_gaps_total")), ("subscribed anew", rate("parley_bus_reconnects_total")),
        ("probes lost", rate("parley_bus_probes_lost_total"))]),
    ("Poll of the feed", "s", percentiles("parley_feed_poll_seconds")),
    ("Found, not announced: entries a second", "ops", [
        ("{{source}}", seldom(rate("parley_gap_entries_total", "source"))),
        ("holes {{source}}", seldom(rate("parley_gaps_filled_total", "source"))),
        ("reads of logs", rate("parley_log_reads_total"))]),
    ("Defects", "short", [
        ("forks", f'sum(parley_forks_total{{{OURS}}})'),
        ("wrong unread counts", f'sum(parley_unread_mismatches_total{{{OURS}}})'),
        ("panics {{kind}}", seldom(f'sum by (kind) (parley_panics_total{{{OURS}}})'))]),
    ("Unread counts compared, a second", "ops", [("compared", rate("parley_unread_checked_total"))]),
]

REPLICAS = [
    ("Builds", "short", [("{{version}} {{revision}}", now("parley_build_info", "version, revision"))]),
    ("Draining", "bool", [("{{instance}}", now("parley_draining"))]),
    ("Dependencies", "bool", [("{{instance}} {{dependency}}", now("parley_dependency_up", "instance, dependency"))]),
    ("Largest share of sockets, as a multiple of the smallest", "short", [
        ("max/min", f"max(parley_connections{{{OURS}}}) / clamp_min(min(parley_connections{{{OURS}}}), 1)")]),
    ("Sent away a second", "ops", [("{{reason}}", seldom(rate("parley_connections_sent_away_total", "reason")))]),
    ("Coming back", "short", [
        ("under way", "sum(parley_resumes_running{%s})" % OURS), ("waiting", "sum(parley_resumes_waiting{%s})" % OURS)]),
    ("Who came back, a second", "ops", [
        ("{{result}}", rate("parley_resumes_total", "result")),
        ("told to come again: {{reason}}", seldom(rate("parley_resumes_refused_total", "reason")))]),
    ("Frames a second", "ops", [
        ("{{type}}", rate("parley_frames_received_total", "type")), ("sent", rate("parley_frames_sent_total"))]),
    ("Bytes a second", "Bps", [
        ("received {{instance}}", rate("parley_bytes_received_total", "instance")),
        ("sent {{instance}}", rate("parley_bytes_sent_total", "instance"))]),
    ("Waiting for their sockets", "bytes", [("{{instance}}", now("parley_outbound_queued_bytes"))]),
    ("Closed as too slow, a second", "ops", [("{{instance}}", rate("parley_slow_consumer_closes_total", "instance"))]),
    ("Share of connections to the database in use", "percentunit", [
        ("{{instance}} {{pool}}",
         f'{now("parley_store_pool_in_use", "instance, pool")} / {now("parley_store_pool_max", "instance, pool")}')]),
    ("Channels listened to", "short", [("{{instance}}", now("parley_bus_subscriptions"))]),
    ("Sweep of presence leases", "s", percentiles("parley_presence_sweep_seconds")),
    ("Cores in use", "short", [("{{instance}}", rate("parley_process_cpu_seconds_total", "instance"))]),
    ("Memory", "bytes", [("{{instance}}", now("parley_process_resident_bytes"))]),
    ("Share of open files", "percentunit", [
        ("{{instance}}", f'{now("parley_process_open_fds")} / {now("parley_process_max_fds")}')]),
    ("Tasks", "short", [("{{instance}}", now("parley_runtime_tasks"))]),
    ("Not accepted, a second", "ops", [("{{instance}}", rate("parley_accept_errors_total", "instance"))]),
]

DASHBOARDS = {
    "users": ("Parley: what users feel", USERS),
    "delivery": ("Parley: from writer to reader", DELIVERY),
    "replicas": ("Parley: replicas", REPLICAS),
}

SOURCE = {"type": "prometheus", "uid": "${source}"}


def panel(index, title, unit, lines):
    width, height, columns = 8, 7, 3
    return {
        "id": index + 1,
        "title": title,
        "type": "timeseries",
        "datasource": SOURCE,
        "gridPos": {"x": index % columns * width, "y": index // columns * height, "w": width, "h": height},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": expression, "legendFormat": legend}
            for n, (legend, expression) in enumerate(lines)
        ],
    }


def dashboard(uid, title, panels):
    namespaces = "label_values(parley_build_info, namespace)"
    return {
        "uid": f"parley-{uid}",
        "title": title,
        "tags": ["parley"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "type": "datasource", "query": "prometheus"},
            {"name": "namespace", "type": "query", "datasource": SOURCE, "query": namespaces,
             "refresh": 2, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}},
        ]},
        "panels": [panel(index, *it) for index, it in enumerate(panels)],
    }


def text(it, indent=0):
    """JSON with small things on one line."""
    flat = json.dumps(it, ensure_ascii=False)
    if len(flat) + indent <= 110 or not isinstance(it, (dict, list)):
        return flat
    pad, (begin, end) = " " * (indent + 2), "{}" if isinstance(it, dict) else "[]"
    entries = it.items() if isinstance(it, dict) else ((None, value) for value in it)
    lines = [pad + (f"{json.dumps(key)}: " if key else "") + text(value, indent + 2) for key, value in entries]
    return begin + "\n" + ",\n".join(lines) + "\n" + " " * indent + end


def files():
    return {f"{uid}.json": text(dashboard(uid, *it)) + "\n" for uid, it in DASHBOARDS.items()}
