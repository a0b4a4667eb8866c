//! The address of a broker: `amqp://user:password@host:port/vhost`, as RabbitMQ's URI specification has it.

use std::fmt;
use std::str::FromStr;

const PORT: u16 = 5672;
const SCHEME: &str = "amqp://";

/// Where a broker is, who logs in, and to which virtual host. What is left out is `guest`, `guest`, 5672 and `/`.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    /// Name or number of the machine.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The user's password, which is never shown.
    pub password: String,
    /// The virtual host.
    pub virtual_host: String,
}

impl FromStr for Uri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(if text.starts_with("amqps://") {
                "bench speaks plain AMQP only; give the broker's amqp:// address".to_owned()
            } else {
                format!("an address begins with {SCHEME}, as in amqp://guest:guest@127.0.0.1:5672")
            });
        };
        if rest.contains(['?', '#']) {
            return Err("an address has no parameters; leave out what follows ? or #".to_owned());
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (login, place),
            None => ("guest:guest", authority),
        };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = host_and_port(place)?;
        let virtual_host = if path.is_empty() { "/".to_owned() } else { decoded(path)? };
        Ok(Self { host, port, user: decoded(user)?, password: decoded(password)?, virtual_host })
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Uri {
    /// Leaves out what no log may show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({}@{self}, vhost {:?})", self.user, self.virtual_host)
    }
}

fn host_and_port(place: &str) -> Result<(String, u16), String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("an IPv6 host ends with ]")?;
            (host, after.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err("the address names no host; write amqp://127.0.0.1:5672".to_owned());
    }
    let port = match port {
        None => PORT,
        Some(digits) => digits.parse().map_err(|_| format!("{digits:?} is no port"))?,
    };
    Ok((decoded(host)?, port))
}

/// A part of an address with its percent signs resolved.
fn decoded(part: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or(b' '), rest.next().unwrap_or(b' ')];
        let number = std::str::from_utf8(&digits).ok().filter(|text| text.is_ascii());
        let byte = number.and_then(|text| u8::from_str_radix(text, 16).ok());
        bytes.push(byte.ok_or_else(|| format!("{part:?} has a % without two digits after it"))?);
    }
    String::from_utf8(bytes).map_err(|_| format!("{part:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::Uri;

    #[test]
    fn an_address_is_taken_apart() {
        let check = |text: &str, expected: (&str, u16, &str, &str, &str)| {
            let uri: Uri = text.parse().unwrap();
            let parts = (&*uri.host, uri.port, &*uri.user, &*uri.password, &*uri.virtual_host);
            assert_eq!(parts, expected, "{text}");
        };
        check("amqp://h", ("h", 5672, "guest", "guest", "/"));
        check("amqp://h:1/", ("h", 1, "guest", "guest", "/"));
        check("amqp://u:p@h/%2f", ("h", 5672, "u", "p", "/"));
        check("amqp://u:p%40q@[::1]:9/shop%2Feu", ("::1", 9, "u", "p@q", "shop/eu"));
        check("amqp://u@h", ("h", 5672, "u", "", "/"));
    }

    #[test]
    fn an_address_that_makes_no_sense_is_refused_with_what_to_write() {
        let check = |text: &str, says: &str| {
            let error = text.parse::<Uri>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("127.0.0.1:5672", "begins with amqp://");
        check("amqps://h", "plain AMQP only");
        check("amqp://", "names no host");
        check("amqp://h:port", "\"port\" is no port");
        check("amqp://h/%2", "two digits");
        check("amqp://h/?heartbeat=1", "no parameters");
    }

    #[test]
    fn a_password_is_not_shown() {
        let uri: Uri = "amqp://u:secret@h".parse().unwrap();
        assert!(!format!("{uri} {uri:?}").contains("secret"));
    }
}
