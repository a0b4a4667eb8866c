//! Which handler a path and a method lead to. Parts of a path that begin with a colon are open.

use hyper::{Method, StatusCode};

use super::authentication::Caller;
use super::call::Call;
use super::reply::{Outcome, Reply};
use super::request::Request;
use super::{
    Api, bindings, channels, connections, consumers, definitions, exchanges, health, messages,
    node, overview, permissions, policies, queues, route as routing, users, vhosts,
};

/// Answers a call.
type Handler = fn(&Call<'_>) -> Outcome;

/// A path and what can be done there.
struct Route {
    path: &'static str,
    handlers: &'static [(Verb, Handler)],
}

/// The methods that lead somewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

use Verb::{Delete, Get, Post, Put};

impl Verb {
    fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Get),
            Method::PUT => Some(Put),
            Method::POST => Some(Post),
            Method::DELETE => Some(Delete),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Get => "HEAD, GET",
            Put => "PUT",
            Post => "POST",
            Delete => "DELETE",
        }
    }
}

macro_rules! routes {
    ($($path:literal => $($verb:ident $handler:path),+;)*) => {
        &[$(Route { path: $path, handlers: &[$(($verb, $handler)),+] }),*]
    };
}

/// Below `/api/`. The first that fits counts.
const ROUTES: &[Route] = routes! {
    "overview" => Get overview::get;
    "whoami" => Get users::whoami;
    "auth" => Get overview::auth;
    "cluster-name" => Get overview::cluster_name;
    "extensions" => Get overview::extensions;
    "feature-flags" => Get overview::feature_flags;
    "nodes" => Get node::list;
    "nodes/:node" => Get node::show;
    "nodes/:node/memory" => Get node::memory;
    "queues" => Get queues::list;
    "queues/detailed" => Get queues::list_all;
    "queues/:vhost" => Get queues::list;
    "queues/:vhost/:queue" => Get queues::show, Put queues::put, Delete queues::delete;
    "queues/:vhost/:queue/contents" => Delete queues::purge;
    "queues/:vhost/:queue/get" => Post messages::get;
    "queues/:vhost/:queue/bindings" => Get bindings::of_queue;
    "exchanges" => Get exchanges::list;
    "exchanges/:vhost" => Get exchanges::list;
    "exchanges/:vhost/:exchange" =>
        Get exchanges::show, Put exchanges::put, Delete exchanges::delete;
    "exchanges/:vhost/:exchange/publish" => Post messages::publish;
    "exchanges/:vhost/:exchange/route" => Post routing::route;
    "exchanges/:vhost/:exchange/bindings/source" => Get bindings::from_exchange;
    "exchanges/:vhost/:exchange/bindings/destination" => Get bindings::to_exchange;
    "bindings" => Get bindings::list;
    "bindings/:vhost" => Get bindings::list;
    "bindings/:vhost/e/:source/:kind/:destination" => Get bindings::between, Post bindings::bind;
    "bindings/:vhost/e/:source/:kind/:destination/:key" =>
        Get bindings::show, Delete bindings::unbind;
    "connections" => Get connections::list;
    "connections/username/:user" => Get connections::of_user, Delete connections::close_of_user;
    "connections/:name" => Get connections::show, Delete connections::close;
    "connections/:name/channels" => Get channels::of_connection;
    "channels" => Get channels::list;
    "channels/:name" => Get channels::show;
    "consumers" => Get consumers::list;
    "consumers/:vhost" => Get consumers::list;
    "vhosts" => Get vhosts::list;
    "vhosts/:vhost" => Get vhosts::show, Put vhosts::put, Delete vhosts::delete;
    "vhosts/:vhost/permissions" => Get permissions::of_vhost;
    "vhosts/:vhost/connections" => Get connections::of_vhost;
    "vhosts/:vhost/channels" => Get channels::of_vhost;
    "users" => Get users::list;
    "users/bulk-delete" => Post users::bulk_delete;
    "users/without-permissions" => Get users::without_permissions;
    "users/:user" => Get users::show, Put users::put, Delete users::delete;
    "users/:user/permissions" => Get permissions::of_user;
    "users/:user/topic-permissions" => Get policies::list_for_administrators_of_user;
    "permissions" => Get permissions::list;
    "permissions/:vhost/:user" => Get permissions::show, Put permissions::put, Delete permissions::delete;
    "topic-permissions" => Get policies::list_for_administrators;
    "topic-permissions/:vhost/:user" => Get policies::show, Put policies::put_topic_permission;
    "definitions" => Get definitions::export, Post definitions::import;
    "definitions/:vhost" => Get definitions::export_vhost, Post definitions::import_vhost;
    "policies" => Get policies::list;
    "policies/:vhost" => Get policies::list;
    "policies/:vhost/:name" => Get policies::show, Put policies::put, Delete policies::show;
    "operator-policies" => Get policies::list;
    "operator-policies/:vhost" => Get policies::list;
    "operator-policies/:vhost/:name" => Get policies::show, Put policies::put, Delete policies::show;
    "parameters" => Get policies::list_for_policymakers;
    "parameters/:component" => Get policies::list_for_policymakers;
    "parameters/:component/:vhost" => Get policies::list_for_policymakers;
    "parameters/:component/:vhost/:name" => Get policies::show, Put policies::put_parameter, Delete policies::show;
    "global-parameters" => Get policies::list_for_policymakers;
    "global-parameters/:name" => Get policies::show, Put policies::put_parameter, Delete policies::show;
    "vhost-limits" => Get policies::list_for_administrators;
    "vhost-limits/:vhost" => Get policies::list;
    "vhost-limits/:vhost/:name" => Put policies::put_limit, Delete policies::put_limit;
    "user-limits" => Get policies::list_for_administrators;
    "user-limits/:user" => Get policies::list_for_administrators;
    "user-limits/:user/:name" => Put policies::put_limit, Delete policies::put_limit;
    "health/checks/alarms" => Get health::alarms;
    "health/checks/local-alarms" => Get health::alarms;
    "health/checks/virtual-hosts" => Get health::virtual_hosts;
    "health/checks/is-in-service" => Get health::answers;
    "health/checks/ready-to-serve-clients" => Get health::answers;
    "health/checks/metadata-store/initialized" => Get health::answers;
    "health/checks/metadata-store/initialized/with-data" => Get health::answers;
    "health/checks/below-node-connection-limit" => Get health::connections;
    "health/checks/certificate-expiration/:within/:unit" => Get health::certificates;
    "aliveness-test/:vhost" => Get health::aliveness;
    "healthchecks/node" => Get health::answers;
    "healthchecks/node/:node" => Get health::answers;
    "deprecated-features" => Get health::deprecated;
    "deprecated-features/used" => Get health::deprecated;
    "health/checks/node-is-quorum-critical" => Get health::quorum;
    "health/checks/port-listener/:port" => Get health::port;
    "health/checks/protocol-listener/:protocol" => Get health::protocol;
};

/// Answers a request below `/api/`. It may take its time.
pub(super) fn route(api: &Api, request: &Request, caller: &Caller) -> Reply {
    handle(api, request, caller).unwrap_or_else(|refusal| refusal)
}

fn handle(api: &Api, request: &Request, caller: &Caller) -> Outcome {
    let path = below_api(request);
    let (route, parts) = find(&path).ok_or_else(Reply::no_object)?;
    if request.method == Method::OPTIONS {
        return Ok(Reply::status(StatusCode::OK));
    }
    let verb = Verb::of(&request.method);
    let handler = route.handlers.iter().find(|(known, _)| Some(*known) == verb);
    let Some((_, handler)) = handler else {
        return Err(Reply::status(StatusCode::METHOD_NOT_ALLOWED));
    };
    handler(&Call { api, caller, request, parts })
}

/// The methods that the path of a request knows, as its answer lists them.
pub(super) fn allow(request: &Request) -> String {
    let path = below_api(request);
    let handlers = find(&path).map_or(&[] as &[_], |(route, _)| route.handlers);
    let mut names: Vec<&str> = handlers.iter().map(|(verb, _)| verb.name()).collect();
    names.push("OPTIONS");
    names.join(", ")
}

fn below_api(request: &Request) -> Vec<&str> {
    request.path.iter().skip(1).map(String::as_str).collect()
}

fn find<'a>(path: &[&'a str]) -> Option<(&'static Route, Vec<&'a str>)> {
    ROUTES.iter().find_map(|route| Some((route, parts(route.path, path)?)))
}

/// The open parts of a path that fits.
fn parts<'a>(route: &str, path: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut wanted = route.split('/');
    for part in path {
        match wanted.next()? {
            open if open.starts_with(':') => parts.push(*part),
            fixed if fixed == *part => {}
            _ => return None,
        }
    }
    wanted.next().is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_a_route_part_by_part() {
        assert_eq!(parts("queues/:vhost/:queue", &["queues", "/", "q"]), Some(vec!["/", "q"]));
        assert_eq!(parts("queues/:vhost", &["queues", "/", "q"]), None);
        assert_eq!(parts("queues/:vhost/:queue", &["queues", "/"]), None);
        assert_eq!(parts("users/bulk-delete", &["users", "x"]), None);
    }

    #[test]
    fn every_route_can_be_reached() {
        for (at, route) in ROUTES.iter().enumerate() {
            let path: Vec<&str> = route.path.split('/').collect();
            let first = ROUTES.iter().position(|other| parts(other.path, &path).is_some());
            assert_eq!(first, Some(at), "{}", route.path);
        }
    }
}
