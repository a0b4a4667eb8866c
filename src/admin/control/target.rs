//! Which broker is meant and who asks: the address of its management API, the user and the password, from
//! options, the environment, `broker.toml`, and the defaults, in this order.

use std::fmt;

use super::options::Access;
use super::password;
use crate::admin::failure::Failure;
use crate::config::{Config, Management};

/// The port of the management API when none is named.
const DEFAULT_PORT: u16 = 15672;
/// The user that each new broker has, and its password.
const DEFAULT_USER: &str = "guest";
const DEFAULT_PASSWORD: &str = "guest";

/// A broker, and the login to use there.
#[derive(Debug)]
pub(super) struct Target {
    /// `HOST:PORT`, as it stands in an address.
    pub address: String,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// A text that is shown to nobody, not even by mistake.
pub(super) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Target {
    /// The broker that the options and the configuration name. A user named without a password is asked for it.
    ///
    /// # Errors
    ///
    /// An address that cannot be one, or a password that nobody gives.
    pub fn new(access: &Access, config: &Config) -> Result<Self, Failure> {
        let address = match (&access.url, &config.admin.url) {
            (Some(url), _) => address_of(url)
                .map_err(|fault| Failure::Failed(format!("--url is {url:?}, but {fault}")))?,
            (None, Some(url)) => address_of(url)
                .map_err(|fault| Failure::Failed(format!("`admin.url` is {url:?}, but {fault}")))?,
            (None, None) => beside(&config.management)?,
        };
        let user = access.user.clone().unwrap_or_else(|| config.admin.user.clone());
        let password = match &access.password {
            Some(given) if given == "-" => password::from_standard_input()?,
            Some(given) => given.clone(),
            None => match &config.admin.password {
                // The configured password is the configured user's.
                Some(configured) if user == config.admin.user => configured.as_str().to_owned(),
                _ if user == DEFAULT_USER => DEFAULT_PASSWORD.to_owned(),
                _ => password::of_user(&user)?,
            },
        };
        Ok(Self { address, user, password: Secret(password) })
    }
}

/// Where the broker of this configuration has its management API, seen from its own machine.
fn beside(management: &Management) -> Result<String, Failure> {
    let listen = management.address().ok_or(
        "`management.listen` is off in this configuration, so its broker has no management API: name another with --url",
    )?;
    let here = |(host, port): (&str, &str)| match host {
        // Every address of a machine: this one is the nearest.
        "0.0.0.0" => format!("127.0.0.1:{port}"),
        "[::]" => format!("[::1]:{port}"),
        host => format!("{host}:{port}"),
    };
    Ok(listen.rsplit_once(':').map_or_else(|| listen.to_owned(), here))
}

/// The `HOST:PORT` of an address: `http://HOST:PORT`, `HOST:PORT` or `HOST`.
fn address_of(url: &str) -> Result<String, String> {
    if url.starts_with("https://") {
        return Err("https is not spoken here: reach the broker's machine through a tunnel, such as `ssh -L \
                    15672:127.0.0.1:15672 HOST`, and use http"
            .to_owned());
    }
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let wanted = || "must be HOST:PORT or http://HOST:PORT".to_owned();
    if rest.contains('@') {
        return Err(
            "the user belongs in --user, and the password where the process list does not show it"
                .to_owned(),
        );
    }
    if rest.is_empty()
        || rest.contains(|letter: char| letter.is_whitespace() || "/?#".contains(letter))
    {
        return Err(wanted());
    }
    let bracketed = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
    let (host, port) = match bracketed {
        Some((inner, port)) => {
            inner.parse::<std::net::Ipv6Addr>().map_err(|_| wanted())?;
            (format!("[{inner}]"), port.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (rest.to_owned(), None),
        },
    };
    if host.is_empty() || (bracketed.is_none() && host.contains(['[', ']'])) {
        return Err(wanted());
    }
    match port {
        None => Ok(format!("{host}:{DEFAULT_PORT}")),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 => Ok(format!("{host}:{number}")),
            _ => Err("the port must be a number from 1 to 65535".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{address_of, beside};
    use crate::config::Management;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(address_of(url).ok().as_deref(), expected, "{url}");
        };
        check("http://127.0.0.1:15672", Some("127.0.0.1:15672"));
        check("http://127.0.0.1:15672/", Some("127.0.0.1:15672"));
        check("broker.example:80", Some("broker.example:80"));
        check("broker.example", Some("broker.example:15672"));
        check("[::1]:9", Some("[::1]:9"));
        check("http://[::1]", Some("[::1]:15672"));
        check("https://broker.example", None);
        check("http://guest:guest@broker.example", None);
        check("http://broker.example/path", None);
        check("broker.example:0", None);
        check("broker.example:many", None);
        check("::1", None);
        check("", None);
        check("http://", None);
        check("a b", None);
    }

    #[test]
    fn the_broker_of_this_configuration_is_found_on_this_machine() {
        let check = |listen: &str, expected: Option<&str>| {
            let management = Management { listen: listen.to_owned(), ..Management::default() };
            assert_eq!(beside(&management).ok().as_deref(), expected, "{listen}");
        };
        check("127.0.0.1:15672", Some("127.0.0.1:15672"));
        check("0.0.0.0:9", Some("127.0.0.1:9"));
        check("[::]:9", Some("[::1]:9"));
        check("192.0.2.1:9", Some("192.0.2.1:9"));
        check("off", None);
    }
}
