//! The destinations that may receive the user context.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

/// Pattern for the destinations of outgoing calls.
///
/// | pattern | matches |
/// |---|---|
/// | `inventory:50053` | this host and port |
/// | `inventory` | this host, at any port |
/// | `*.shop.internal` | every subdomain, at any port |
/// | `*.shop.internal:50053` | every subdomain, at this port |
/// | `10.0.0.7:50053`, `[fd00::7]:50053` | this address and port |
///
/// A URI without a port has the default port of its scheme: 443 for `https`, 80 for `http`.
///
/// Hosts are compared as text, without regard to case. Names are not resolved, and an address matches
/// only in the spelling of the pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Exact(String),
    /// A domain with a leading dot.
    SubdomainOf(String),
}

/// Authority of a URI, with the default port of its scheme.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetAuthority<'a> {
    authority: &'a Authority,
    port: Option<u16>,
}

impl<'a> TargetAuthority<'a> {
    /// `None` for a URI without an authority.
    pub(super) fn of(uri: &'a Uri) -> Option<Self> {
        let authority = uri.authority()?;
        let default = match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        };
        Some(Self { port: authority.port_u16().or(default), authority })
    }

    /// Host and port, without user information, which may hold a password.
    pub(super) fn host_and_port(self) -> &'a str {
        let text = self.authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host_and_port)| host_and_port)
    }
}

/// The text is not a [`Destination`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not a destination: HOST, HOST:PORT, *.DOMAIN or *.DOMAIN:PORT")]
pub struct InvalidDestination {
    text: String,
}

impl InvalidDestination {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Destination {
    /// Whether the pattern matches. An authority with user information matches no pattern.
    pub(super) fn matches(&self, target: TargetAuthority<'_>) -> bool {
        let host = target.authority.host();
        let host_fits = match &self.host {
            Host::Exact(listed) => listed.eq_ignore_ascii_case(host),
            Host::SubdomainOf(domain) => {
                let split = host.len().checked_sub(domain.len()).filter(|split| *split > 0);
                split.and_then(|split| host.split_at_checked(split)).is_some_and(|(name, end)| {
                    end.eq_ignore_ascii_case(domain) && !name.ends_with('.')
                })
            }
        };
        let port_fits = self.port.is_none() || self.port == target.port;
        host_fits && port_fits && !target.authority.as_str().contains('@')
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDestination { text: text.to_owned() };
        let (is_subdomain, name) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        let authority: Authority = name.parse().map_err(|_| invalid())?;
        let (host, port) = (authority.host(), authority.port_u16());
        // Anything besides host and port, such as user information, is refused.
        let whole = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let is_malformed = match host.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').map(str::parse::<Ipv6Addr>);
                is_subdomain || !matches!(address, Some(Ok(_)))
            }
            None => host.is_empty() || host.starts_with('.') || host.contains(['*', '%']),
        };
        if whole != name || is_malformed {
            return Err(invalid());
        }
        let host = if is_subdomain {
            Host::SubdomainOf(format!(".{host}"))
        } else {
            Host::Exact(host.to_owned())
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<&str> for Destination {
    type Error = InvalidDestination;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Exact(host) => f.write_str(host)?,
            Host::SubdomainOf(domain) => write!(f, "*{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
