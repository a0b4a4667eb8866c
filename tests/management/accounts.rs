//! Users, permissions and virtual hosts that are changed at run time are so at once, and after a restart.

use serde_json::json;

use crate::support::http::Api;
use crate::support::server::Server;

const EVERYTHING: &str = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;

#[test]
fn accounts_survive_a_crash() {
    let mut server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/vhosts/store", "");
    api.done("PUT", "/api/vhosts/gone", "");
    api.done("PUT", "/api/queues/gone/q", r#"{"durable": true}"#.trim());
    api.done("PUT", "/api/users/shop", r#"{"password": "secret", "tags": "management"}"#);
    api.done("PUT", "/api/users/left", r#"{"password": "secret", "tags": ""}"#);
    api.done("PUT", "/api/permissions/store/shop", EVERYTHING);
    api.done("PUT", "/api/permissions/store/guest", EVERYTHING);
    api.done("DELETE", "/api/permissions/store/guest", "");
    api.done("DELETE", "/api/users/left", "");
    api.done("DELETE", "/api/vhosts/gone", "");
    server.kill();
    server.restart();
    let api = Api::new(&server.management());
    let shop = api.as_user("shop", "secret");
    assert_eq!(shop.get("/api/whoami")["tags"], json!(["management"]));
    assert_eq!(shop.get("/api/exchanges/store").as_array().unwrap().len(), 7);
    assert_eq!(api.request("GET", "/api/permissions/store/guest", "").status, 404);
    assert_eq!(api.request("GET", "/api/users/left", "").status, 404);
    assert_eq!(api.request("GET", "/api/vhosts/gone", "").status, 404);
}

#[test]
fn a_changed_password_is_the_one_that_counts() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let put = |password: &str| {
        let body = json!({ "password": password, "tags": ["monitoring"] }).to_string();
        api.done("PUT", "/api/users/some", &body);
    };
    put("before");
    assert_eq!(api.as_user("some", "before").request("GET", "/api/whoami", "").status, 200);
    put("after");
    assert_eq!(api.as_user("some", "before").request("GET", "/api/whoami", "").status, 401);
    assert_eq!(api.as_user("some", "after").request("GET", "/api/nodes", "").status, 200);
}

#[test]
fn a_hash_from_rabbitmq_is_taken_and_shown() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    // RabbitMQ's documentation has this hash of `test12`.
    let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
    let body = json!({ "password_hash": hash, "tags": "management" }).to_string();
    api.done("PUT", "/api/users/some", &body);
    assert_eq!(api.get("/api/users/some")["password_hash"], hash);
    assert_eq!(api.as_user("some", "test12").request("GET", "/api/whoami", "").status, 200);
    assert_eq!(api.as_user("some", "test13").request("GET", "/api/whoami", "").status, 401);
}

#[test]
fn a_user_without_a_password_cannot_log_in() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/users/some", r#"{"tags": "administrator"}"#);
    for password in ["", "x"] {
        let answer = api.as_user("some", password).request("GET", "/api/whoami", "");
        assert_eq!(answer.status, 401, "{password:?}");
    }
    let answer = api.request("PUT", "/api/users/some", r#"{"password": "", "tags": ""}"#);
    assert_eq!(answer.status, 400);
}

#[test]
fn guest_may_use_the_api_from_this_machine_only() {
    // This machine has no other address that a test could come from; the rule is that of AMQP, which is tested
    // where it stands, so here it only has to be the same rule: a user on the list is let in from here.
    let server = Server::start_managed_with("[access]\nloopback_users = [\"guest\", \"other\"]\n");
    let api = Api::new(&server.management());
    assert_eq!(api.request("GET", "/api/whoami", "").status, 200);
}
