//! The target of a request.

use http::Uri;

use crate::policy::MethodPath;
use crate::rejection::Rejection;

/// Target of a request; unknown parts are absent.
#[derive(Clone, Copy, Debug)]
pub struct CallTarget<'a>(Kind<'a>);

#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    MethodPath(&'a Uri),
    Unknown,
}

impl<'a> CallTarget<'a> {
    /// Target whose URI path is a method path, `/package.Service/Method`.
    pub fn method_path(uri: &'a Uri) -> Self {
        Self(Kind::MethodPath(uri))
    }

    /// Target with an unknown method: a tonic interceptor does not see the path. Every request needs
    /// an authenticated caller. With a [policy](super::Inbound::policy), every request is rejected
    /// with [`Rejection::PolicyMissing`], because no rule can be found.
    pub fn unknown() -> Self {
        Self(Kind::Unknown)
    }

    /// The canonical path of the method; `None` if the method is unknown.
    pub(super) fn method(self) -> Result<Option<&'a str>, Rejection> {
        match self.0 {
            Kind::MethodPath(uri)
                if MethodPath::is_canonical(uri.path()) && uri.query().is_none() =>
            {
                Ok(Some(uri.path()))
            }
            Kind::MethodPath(_) => Err(Rejection::MethodPathInvalid),
            Kind::Unknown => Ok(None),
        }
    }

    /// The path as received, for the log.
    pub(super) fn path(self) -> &'a str {
        match self.0 {
            Kind::MethodPath(uri) => uri.path(),
            Kind::Unknown => "",
        }
    }
}
