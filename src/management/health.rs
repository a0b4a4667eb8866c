//! Health checks: 200 when all is well, 503 with a reason when it is not.

use hyper::StatusCode;
use serde_json::json;

use super::call::Call;
use super::overview;
use super::reply::{Outcome, Reply};
use crate::broker::Shortage;
use crate::clock;

fn ok() -> Outcome {
    Ok(Reply::json(&json!({ "status": "ok" })))
}

/// `GET health/checks/alarms` and `local-alarms`, which are the same on one machine.
pub(super) fn alarms(call: &Call<'_>) -> Outcome {
    let resources: &[&str] = match call.api.broker.shortage() {
        None => return ok(),
        Some(Shortage::Memory) => &["memory"],
        Some(Shortage::Disk) => &["disk"],
        Some(Shortage::MemoryAndDisk) => &["memory", "disk"],
    };
    let alarms = resources.iter().map(|one| json!({ "node": call.api.node, "resource": one }));
    Err(Reply::with(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({
            "status": "failed",
            "reason": "There are alarms in effect in the cluster",
            "alarms": alarms.collect::<Vec<_>>(),
        }),
    ))
}

/// `GET health/checks/virtual-hosts`: each is there as soon as the broker answers.
pub(super) fn virtual_hosts(_: &Call<'_>) -> Outcome {
    ok()
}

/// `GET health/checks/is-in-service`, `ready-to-serve-clients`, `metadata-store/initialized`, and `healthchecks/node`: so
/// it is as soon as the broker answers.
pub(super) fn answers(_: &Call<'_>) -> Outcome {
    ok()
}

/// `GET aliveness-test/VHOST`, which publishes nothing any more, as in RabbitMQ.
pub(super) fn aliveness(call: &Call<'_>) -> Outcome {
    call.enter(call.part(0))?;
    ok()
}

/// `GET health/checks/below-node-connection-limit`.
pub(super) fn connections(call: &Call<'_>) -> Outcome {
    let limit = call.api.broker.config().amqp.connections_max;
    let connections = call.api.broker.client_count();
    if connections < limit {
        let figures = json!({ "status": "ok", "limit": limit, "connections": connections });
        return Ok(Reply::json(&figures));
    }
    Err(Reply::with(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({
            "status": "failed",
            "reason": "node connection limit is reached",
            "limit": limit,
            "connections": connections,
        }),
    ))
}

/// `GET health/checks/certificate-expiration/WITHIN/UNIT`.
pub(super) fn certificates(call: &Call<'_>) -> Outcome {
    let days = match call.part(1) {
        "days" | "day" => 1,
        "weeks" | "week" => 7,
        "months" | "month" => 30,
        "years" | "year" => 365,
        _ => return Err(Reply::bad_request("Invalid expiration unit.")),
    };
    let Ok(within) = call.part(0).parse::<u32>() else {
        return Err(Reply::bad_request("Invalid expiration period."));
    };
    let until_s = clock::now_ms() / 1000 + u64::from(within) * days * 24 * 60 * 60;
    let expires_s = call.api.tls.as_ref().map(|tls| tls.expires_s());
    if expires_s.is_none_or(|expires_s| expires_s > until_s) {
        return ok();
    }
    let secured = call.api.served.iter().filter(|served| served.is_secured());
    let expired = secured.map(|served| {
        json!({
            "node": call.api.node,
            "protocol": served.protocol,
            "port": served.address.port(),
            "expires_s": expires_s,
        })
    });
    Err(Reply::with(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({
            "status": "failed",
            "reason": "Certificates expiring",
            "expired": expired.collect::<Vec<_>>(),
        }),
    ))
}

/// `GET deprecated-features` and `deprecated-features/used`: nothing here is.
pub(super) fn deprecated(_: &Call<'_>) -> Outcome {
    Ok(Reply::json(&json!([])))
}

/// `GET health/checks/node-is-quorum-critical`.
pub(super) fn quorum(_: &Call<'_>) -> Outcome {
    Ok(Reply::json(&json!({ "status": "ok", "reason": "single node cluster" })))
}

/// `GET health/checks/port-listener/PORT`.
pub(super) fn port(call: &Call<'_>) -> Outcome {
    let Ok(port) = call.part(0).parse::<u16>() else {
        return Err(Reply::bad_request("Invalid port"));
    };
    let ports: Vec<u16> = call.api.served.iter().map(|served| served.address.port()).collect();
    if ports.contains(&port) {
        return Ok(Reply::json(&json!({ "status": "ok", "port": port })));
    }
    Err(Reply::with(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({
            "status": "failed",
            "reason": "No active listener",
            "missing": port,
            "ports": ports,
        }),
    ))
}

/// `GET health/checks/protocol-listener/PROTOCOL`.
pub(super) fn protocol(call: &Call<'_>) -> Outcome {
    let served = call.api.served.iter().map(|served| served.protocol.to_owned());
    let metrics =
        overview::over_http(call.api).map(|served| format!("{}/prometheus", served.protocol));
    let protocols: Vec<String> = served.chain(metrics).collect();
    let wanted = match call.part(0) {
        "amqp091" | "amqp0.9.1" => "amqp",
        wanted => wanted,
    };
    if protocols.iter().any(|protocol| protocol == wanted) {
        return Ok(Reply::json(&json!({ "status": "ok", "protocols": protocols })));
    }
    Err(Reply::with(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({
            "status": "failed",
            "reason": "No active listener",
            "missing": [wanted],
            "protocols": protocols,
        }),
    ))
}
