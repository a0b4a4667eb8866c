//! The configuration: `broker.toml` shows the defaults, a mistake is said in one line with its place, and
//! each source overrides the one before.

#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use leveret::config::{Config, ConfigError, Loaded, Overrides, load};

const SHOWN: &str = include_str!("../broker.toml");

/// Loads a file with this text, under these variables; a fault's place has the file's directory cut off.
fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broker.toml");
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides { config: Some(file), ..Overrides::default() };
    load(&overrides, environment(variables)).map_err(|error| {
        let prefix = format!("{}/", directory.path().display());
        error.to_string().replace(&prefix, "")
    })
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

/// Keys that have no default, and are shown commented out.
const WITHOUT_DEFAULT: &[&str] = &["# definitions = ", "# url = ", "# password = "];

/// The keys that a text sets, with their sections and the index of their line; those without a default count although
/// they are commented out.
fn keys_shown(text: &str) -> Vec<(String, usize)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        }
        let line =
            if WITHOUT_DEFAULT.iter().any(|key| line.starts_with(key)) { &line[2..] } else { line };
        if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            keys.push((format!("{section}{key}"), index));
        }
    }
    keys
}

#[test]
fn broker_toml_shows_every_key_at_its_default() {
    let shown: Config = toml::from_str(SHOWN).unwrap();
    assert_eq!(shown, Config::default());

    let mut full = Config { definitions: Some(PathBuf::from("x")), ..Config::default() };
    full.admin.url = Some("x".to_owned());
    full.admin.password = Some(leveret::config::Password::new("x"));
    let written = toml::to_string(&full).unwrap();
    let expected: Vec<String> = keys_shown(&written).into_iter().map(|(key, _)| key).collect();
    let found: Vec<String> = keys_shown(SHOWN).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        found, expected,
        "broker.toml shows other keys than `Config` has, or in another order"
    );
}

#[test]
fn every_key_in_broker_toml_has_a_comment() {
    let lines: Vec<&str> = SHOWN.lines().collect();
    for (key, index) in keys_shown(SHOWN) {
        assert!(lines[index - 1].starts_with("# "), "no comment above {key}");
    }
}

#[test]
fn the_defaults_are_sound() {
    Config::default().validate().unwrap();
    assert_eq!(load_text("", &[]).unwrap().config, Config::default());
    assert_eq!(load_text(SHOWN, &[]).unwrap().config, Config::default());
}

#[track_caller]
fn check_fault(text: &str, expected: &str) {
    assert_eq!(
        load_text(text, &[]).unwrap_err(),
        format!("broker.toml:{expected}"),
        "for {text:?}"
    );
}

#[test]
fn an_unknown_name_is_said_with_its_line_and_the_nearest_known_one() {
    check_fault(
        "[amqp]\n\nchanel_max = 3\n",
        "3: unknown key `amqp.chanel_max`; did you mean `amqp.channel_max`?",
    );
    check_fault(
        "listen = \"127.0.0.1:1\"\n",
        "1: unknown key `listen`; did you mean `amqp.listen`?",
    );
    check_fault("data_dri = \"x\"\n", "1: unknown key `data_dri`; did you mean `data_dir`?");
    check_fault(
        "# a comment\n[ampq]\nlisten = \"127.0.0.1:1\"\n",
        "2: unknown section `ampq`; did you mean `amqp`?",
    );
    check_fault(
        "[amqp]\nheartbeats_s = 3\nlisen = 4\n",
        "2: unknown key `amqp.heartbeats_s`; did you mean `amqp.heartbeat_s`?",
    );
    check_fault(
        "[store]\r\n\r\nsegment_bytes = 4\r\n",
        "3: unknown key `store.segment_bytes`; did you mean `store.segment_bytes_max`?",
    );
    check_fault(
        "colour = \"brown\"\n",
        "1: unknown key `colour`; `leveret check-config --format toml` lists all",
    );
}

#[test]
fn a_value_of_another_type_is_said_with_its_line_and_key() {
    check_fault(
        "[amqp]\nchannel_max = \"many\"\n",
        "2: `amqp.channel_max` must be a whole number, not the text \"many\"",
    );
    check_fault(
        "[amqp]\nchannel_max = 70000\n",
        "2: `amqp.channel_max` must be a whole number from 0 to 65535, not 70000",
    );
    check_fault(
        "[store]\n\ncheckpoint_ms = -1\n",
        "3: `store.checkpoint_ms` must be a whole number, 0 or more, not -1",
    );
    check_fault(
        "[amqp]\nheartbeat_s = 1.5\n",
        "2: `amqp.heartbeat_s` must be a whole number, not the fraction 1.5",
    );
    check_fault("data_dir = 1\n", "1: `data_dir` must be a text in quotes, not the number 1");
    check_fault("data_dir = true\n", "1: `data_dir` must be a text in quotes, not true");
    check_fault("amqp = 1\n", "1: `amqp` must be a section, not the number 1");
    check_fault(
        "[access]\nloopback_users = [1]\n",
        "2: `access.loopback_users` must be a list of texts in quotes, not a list of something else",
    );
    check_fault(
        "[access]\nloopback_users = \"guest\"\n",
        "2: `access.loopback_users` must be a list of texts in quotes, not the text \"guest\"",
    );
}

#[test]
fn a_value_out_of_its_range_is_said_with_its_line_and_the_range() {
    check_fault(
        "[amqp]\nchannel_max = 0\n",
        "2: `amqp.channel_max` is 0, but must be from 1 to 65535",
    );
    check_fault(
        "[amqp]\nframe_bytes_max = 4095\n",
        "2: `amqp.frame_bytes_max` is 4095, but must be from 4096 to 16777216",
    );
    check_fault("data_dir = \"\"\n", "1: `data_dir` is empty, but must name a directory");
}

#[test]
fn what_is_not_toml_is_said_in_one_line() {
    for text in ["[amqp\n", "data_dir = \n", "= 1", "a = 1\na = 2\n", "\u{0}", "x = \"\n\"\n"] {
        let fault = load_text(text, &[]).unwrap_err();
        assert!(fault.starts_with("broker.toml:"), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }
}

#[test]
fn a_listener_is_host_and_port() {
    let check = |listen: &str, sound: bool| {
        let mut config = Config::default();
        config.amqp.listen = listen.to_owned();
        assert_eq!(config.validate().is_ok(), sound, "{listen:?}");
    };
    check("127.0.0.1:5672", true);
    check("127.0.0.1:0", true);
    check("[::1]:5672", true);
    check("localhost:5672", true);
    check("broker-1.example:5672", true);
    check("", false);
    check("5672", false);
    check(":5672", false);
    check("127.0.0.1", false);
    check("127.0.0.1:", false);
    check("127.0.0.1:+5", false);
    check("127.0.0.1:65536", false);
    check("::1:5672", false);
    check("[::1]", false);
    check("[nonsense]:5672", false);
    check("amqp://127.0.0.1:5672", false);
}

#[test]
fn the_environment_overrides_the_file_and_the_command_line_overrides_both() {
    let text = "data_dir = \"file\"\n[amqp]\nlisten = \"127.0.0.1:1\"\nheartbeat_s = 7\n";
    let variables = [
        ("LEVERET_DATA_DIR", "variable"),
        ("LEVERET_AMQP_LISTEN", "127.0.0.1:2"),
        ("LEVERET_AMQP_CHANNEL_MAX", "9"),
        ("LEVERET_ACCESS_LOOPBACK_USERS", "guest, admin"),
        ("LEVERET_DEFINITIONS", ""),
        ("HOME", "/nowhere"),
    ];
    let config = load_text(text, &variables).unwrap().config;
    assert_eq!(config.data_dir, Path::new("variable"));
    assert_eq!(config.amqp.listen, "127.0.0.1:2");
    assert_eq!((config.amqp.heartbeat_s, config.amqp.channel_max), (7, 9));
    assert_eq!(config.access.loopback_users, ["guest", "admin"]);
    assert_eq!(config.definitions, None, "an empty variable is as good as none");

    let overrides = Overrides {
        config: None,
        data_dir: Some("option".into()),
        listen: Some("127.0.0.1:3".to_owned()),
        management_listen: Some("off".to_owned()),
    };
    let config = load(&overrides, environment(&variables)).unwrap().config;
    assert_eq!(config.data_dir, Path::new("option"));
    assert_eq!(config.amqp.listen, "127.0.0.1:3");
    assert_eq!(config.management.address(), None);
}

#[test]
fn the_short_variable_for_the_listener_wins_over_the_long_one() {
    let variables = [("LEVERET_AMQP_LISTEN", "127.0.0.1:2"), ("LEVERET_LISTEN", "127.0.0.1:4")];
    assert_eq!(load_text("", &variables).unwrap().config.amqp.listen, "127.0.0.1:4");
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let values = |config: &Config| toml::to_string(config).unwrap();
    for (key, _) in keys_shown(SHOWN) {
        let variable = format!("LEVERET_{}", key.replace('.', "_").to_uppercase());
        let value = match key.as_str() {
            "amqp.listen" | "management.listen" | "tls.listen" | "tls.management_listen" => {
                "127.0.0.1:77"
            }
            "tls.clients" => "required",
            "tls.version_min" => "1.3",
            "tls.login_from" => "dns_name",
            "amqp.channel_max" | "amqp.heartbeat_s" => "77",
            "store.index_cache_bytes" => "2097152",
            _ => "65537",
        };
        // Some need others beside them.
        let files = "[tls]\ncertificate = 'c'\nkey = 'k'\nclient_ca = 'a'\nclients = 'optional'";
        let text = if key.starts_with("tls.") { files } else { "" };
        let before = load_text(text, &[]).unwrap().config;
        let loaded = load_text(text, &[(&variable, value)]).unwrap();
        assert_ne!(values(&loaded.config), values(&before), "{variable}");
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}

#[test]
fn a_mistake_in_a_variable_or_an_option_is_said_with_its_name() {
    let check = |variable: &str, value: &str, expected: &str| {
        let fault = load_text("", &[(variable, value)]).unwrap_err();
        assert_eq!(fault, format!("{variable}: {expected}"));
    };
    check(
        "LEVERET_AMQP_CHANNEL_MAX",
        "many",
        "`amqp.channel_max` must be a whole number, not \"many\"",
    );
    check(
        "LEVERET_AMQP_CHANNEL_MAX",
        "70000",
        "`amqp.channel_max` must be a whole number from 0 to 65535, not 70000",
    );
    check(
        "LEVERET_LISTEN",
        "here",
        "`amqp.listen` is \"here\", but must be HOST:PORT, such as 127.0.0.1:5672 or [::1]:5672",
    );
    let overrides = Overrides { listen: Some("here".to_owned()), ..Overrides::default() };
    let fault = load(&overrides, Vec::new()).unwrap_err().to_string();
    assert!(fault.starts_with("--listen: `amqp.listen` is \"here\""), "{fault}");
}

#[test]
fn a_variable_that_sets_nothing_is_a_warning() {
    let variables = [("LEVERET_LISTN", "127.0.0.1:1"), ("LEVERET_SERVICE_HOST", "10.0.0.1")];
    assert_eq!(
        load_text("", &variables).unwrap().warnings,
        [
            "the variable LEVERET_LISTN sets nothing; did you mean LEVERET_LISTEN?",
            "the variable LEVERET_SERVICE_HOST sets nothing",
        ]
    );
}

#[test]
fn a_file_that_is_named_must_exist() {
    let missing = Path::new("/nonexistent/leveret.toml");
    let overrides = Overrides { config: Some(missing.to_owned()), ..Overrides::default() };
    let by_option = load(&overrides, Vec::new()).unwrap_err();
    assert!(matches!(by_option, ConfigError::Unreadable { .. }), "{by_option:?}");
    assert_eq!(
        by_option.to_string(),
        "cannot read the configuration file /nonexistent/leveret.toml (named by --config): \
         No such file or directory (os error 2)"
    );

    let variables = environment(&[("LEVERET_CONFIG", "/nonexistent/leveret.toml")]);
    let by_variable = load(&Overrides::default(), variables).unwrap_err().to_string();
    assert!(by_variable.contains("named by LEVERET_CONFIG"), "{by_variable}");
}
