use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

/// Where calls may go: an authority, or a pattern of some.
///
/// | written | it means |
/// |---|---|
/// | `inventory:50053` | this host and port |
/// | `inventory` | this host, at any port |
/// | `*.shop.internal` | every host below this domain, at any port |
/// | `*.shop.internal:50053` | every host below this domain, at this port |
/// | `10.0.0.7:50053`, `[fd00::7]:50053` | this address and port |
///
/// Where a URI names no port, that of its scheme counts: 443 for `https`, 80 for `http`.
///
/// Hosts are compared without regard to case, and otherwise as they are written: a name is not looked
/// up, and is no other spelling of an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Exactly(String),
    /// With the dot in front.
    Below(String),
}

/// Where a call goes, as a URI says it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    authority: Authority,
    port: Option<u16>,
}

impl Place {
    /// `None` when the URI does not say.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?.clone();
        let default = match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        };
        Some(Self { port: authority.port_u16().or(default), authority })
    }

    /// Host and port: what else there is may be a password.
    pub(super) fn without_user(&self) -> &str {
        let text = self.authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, place)| place)
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
    /// Whether a call to this place goes here. One with user information goes nowhere.
    pub(super) fn includes(&self, place: &Place) -> bool {
        let host = place.authority.host();
        let host_fits = match &self.host {
            Host::Exactly(own) => own.eq_ignore_ascii_case(host),
            Host::Below(domain) => {
                let split = host.len().checked_sub(domain.len()).filter(|split| *split > 0);
                split.and_then(|split| host.split_at_checked(split)).is_some_and(|(name, end)| {
                    end.eq_ignore_ascii_case(domain) && !name.ends_with('.')
                })
            }
        };
        let port_fits = self.port.is_none() || self.port == place.port;
        host_fits && port_fits && !place.authority.as_str().contains('@')
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDestination { text: text.to_owned() };
        let (below, name) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        let authority: Authority = name.parse().map_err(|_| invalid())?;
        let (host, port) = (authority.host(), authority.port_u16());
        // What is left besides host and port is no part of a destination.
        let whole = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let is_strange = match host.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').map(str::parse::<Ipv6Addr>);
                below || !matches!(address, Some(Ok(_)))
            }
            None => host.is_empty() || host.starts_with('.') || host.contains(['*', '%']),
        };
        if whole != name || is_strange {
            return Err(invalid());
        }
        let host =
            if below { Host::Below(format!(".{host}")) } else { Host::Exactly(host.to_owned()) };
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
            Host::Exactly(host) => f.write_str(host)?,
            Host::Below(domain) => write!(f, "*{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
