//! rabbitmq_http_client, the library that rabbitmqadmin is made with: whatever it cannot read is an error.

use rabbitmq_http_client::blocking_api::Client;
use rabbitmq_http_client::commons::{
    BindingDestinationType, ExchangeType, PaginationParams, SupportedProtocol,
};
use rabbitmq_http_client::requests::{
    BindingDeletionParams, ExchangeParams, Permissions, QueueParams, UserParams, VirtualHostParams,
};
use serde_json::{Map, Value, json};

use crate::support::http::Api;
use crate::support::peer::{Acknowledging, Peer};
use crate::support::server::Server;

type Rabbit<'a> = Client<&'a str, &'a str, &'a str>;

fn arguments(value: Value) -> Option<Map<String, Value>> {
    value.as_object().cloned()
}

#[test]
fn rabbitmqs_own_client_works() {
    let server = Server::start_managed();
    let endpoint = format!("http://{}/api", server.management());
    let rabbit: Rabbit<'_> = Client::new(endpoint.as_str(), "guest", "guest");
    at_a_glance(&rabbit, server.port());
    topology(&rabbit);
    connections(&rabbit, server.port());
    accounts(&rabbit);
    definitions(&rabbit, &Api::new(&server.management()));
}

fn at_a_glance(rabbit: &Rabbit<'_>, port: u16) {
    let overview = rabbit.overview().unwrap();
    assert_eq!(overview.product_name, "Leveret");
    assert_eq!(rabbit.server_version().unwrap(), "4.3.0");
    let nodes = rabbit.list_nodes().unwrap();
    assert_eq!(rabbit.get_node_info(&nodes[0].name).unwrap().name, nodes[0].name);
    assert_eq!(rabbit.get_cluster_name().unwrap().name, overview.cluster_name);
    assert_eq!(rabbit.current_user().unwrap().name, "guest");
    assert!(rabbit.list_feature_flags().unwrap().0.len() > 1);
    rabbit.health_check_cluster_wide_alarms().unwrap();
    rabbit.health_check_local_alarms().unwrap();
    rabbit.health_check_if_node_is_quorum_critical().unwrap();
    rabbit.health_check_port_listener(port).unwrap();
    assert!(rabbit.health_check_port_listener(1).is_err());
    rabbit.health_check_protocol_listener(SupportedProtocol::AMQP).unwrap();
    assert!(rabbit.list_policies().unwrap().is_empty());
    assert!(rabbit.list_operator_policies().unwrap().is_empty());
    assert!(rabbit.list_runtime_parameters().unwrap().is_empty());
    assert!(rabbit.list_all_vhost_limits().unwrap().is_empty());
    assert!(rabbit.list_all_user_limits().unwrap().is_empty());
    assert!(rabbit.list_topic_permissions().unwrap().is_empty());
}

fn topology(rabbit: &Rabbit<'_>) {
    let limits = arguments(json!({ "x-max-length": 100 }));
    rabbit.declare_queue("/", &QueueParams::new_durable_classic_queue("mail", limits)).unwrap();
    rabbit.declare_queue("/", &QueueParams::new_quorum_queue("jobs", None)).unwrap();
    let shop = ExchangeParams::durable("shop", ExchangeType::Topic, None);
    rabbit.declare_exchange("/", &shop).unwrap();
    let with = arguments(json!({ "n": 1 }));
    rabbit.bind_queue("/", "mail", "shop", Some("a.*"), with.clone()).unwrap();
    rabbit.bind_exchange("/", "amq.fanout", "shop", Some("b"), None).unwrap();
    assert_eq!(rabbit.list_queues().unwrap().len(), 2);
    assert_eq!(rabbit.list_queues_in("/").unwrap().len(), 2);
    let page = rabbit.list_queues_paged(&PaginationParams::first_page(1)).unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(rabbit.list_quorum_queues().unwrap()[0].name, "jobs");
    assert_eq!(rabbit.list_queues_with_details().unwrap().len(), 2);
    assert_eq!(rabbit.list_exchanges_in("/").unwrap().len(), 8);
    assert_eq!(rabbit.get_exchange_info("/", "shop").unwrap().exchange_type, "topic");
    assert_eq!(rabbit.list_bindings().unwrap().len(), 4);
    let routed = rabbit.publish_message("/", "shop", "a.b", "hello", Map::new());
    assert!(routed.unwrap().routed);
    let got = rabbit.get_messages("/", "mail", 1, "ack_requeue_true").unwrap();
    assert_eq!(got[0].payload, "hello");
    assert_eq!(rabbit.get_queue_info("/", "mail").unwrap().message_count, 1);
    rabbit.purge_queue("/", "mail").unwrap();
    let binding = BindingDeletionParams {
        virtual_host: "/",
        source: "shop",
        destination: "mail",
        destination_type: BindingDestinationType::Queue,
        routing_key: "a.*",
        arguments: with,
    };
    rabbit.delete_binding(&binding, false).unwrap();
    assert_eq!(rabbit.list_queue_bindings("/", "mail").unwrap().len(), 1);
    rabbit.delete_queue("/", "jobs", false).unwrap();
    assert!(rabbit.delete_queue("/", "jobs", false).is_err());
    rabbit.delete_exchange("/", "shop", false).unwrap();
}

fn connections(rabbit: &Rabbit<'_>, port: u16) {
    let mut peer = Peer::connect(port).unwrap();
    peer.consume("mail", Acknowledging::ByConsumer).unwrap();
    let connection = &rabbit.list_connections().unwrap()[0];
    assert_eq!(rabbit.get_connection_info(&connection.name).unwrap().name, connection.name);
    assert_eq!(rabbit.list_user_connections("guest").unwrap().len(), 1);
    assert_eq!(rabbit.list_connections_in("/").unwrap().len(), 1);
    assert_eq!(rabbit.list_channels().unwrap()[0].consumer_count, 1);
    assert_eq!(rabbit.list_channels_on(&connection.name).unwrap().len(), 1);
    assert_eq!(rabbit.list_consumers().unwrap()[0].queue.name, "mail");
    rabbit.close_connection(&connection.name, Some("for a test"), false).unwrap();
}

fn accounts(rabbit: &Rabbit<'_>) {
    rabbit.create_vhost(&VirtualHostParams::named("store")).unwrap();
    let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
    let user = UserParams { name: "shop", password_hash: hash, tags: "management" };
    rabbit.create_user(&user).unwrap();
    let all =
        Permissions { user: "shop", vhost: "store", configure: ".*", read: ".*", write: ".*" };
    rabbit.declare_permissions(&all).unwrap();
    assert_eq!(rabbit.get_permissions("store", "shop").unwrap().read, ".*");
    assert_eq!(rabbit.list_vhosts().unwrap().len(), 2);
    assert_eq!(rabbit.list_users().unwrap().len(), 2);
    assert_eq!(rabbit.get_user("shop").unwrap().tags.0, ["management"]);
    rabbit.clear_permissions("store", "shop", false).unwrap();
    assert_eq!(rabbit.list_users_without_permissions().unwrap().len(), 1);
    rabbit.delete_user("shop", false).unwrap();
    rabbit.delete_vhost("store", false).unwrap();
}

fn definitions(rabbit: &Rabbit<'_>, api: &Api) {
    let exported = rabbit.export_cluster_wide_definitions_as_data().unwrap();
    assert_eq!(exported.queues.len(), 1);
    rabbit.export_vhost_definitions_as_data("/").unwrap();
    rabbit.import_definitions(api.get("/api/definitions")).unwrap();
}
