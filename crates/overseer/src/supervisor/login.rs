//! Who may use a server of supervisord's.

use axum::http::{HeaderMap, header};
use ganger_api::base64;
use sha1::{Digest, Sha1};

/// How a password begins that is known by its hash alone.
const HASHED: &str = "{SHA}";

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    name: String,
    /// In clear, or `{SHA}` and its hash in hexadecimal digits.
    password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Login {
    pub(crate) fn new(name: String, password: String) -> Self {
        Self { name, password }
    }

    /// Whether a request brings them.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let brought = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let encoded = brought.and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then(|| rest.trim())
        });
        let Some(decoded) = encoded.and_then(base64::decode) else { return false };
        let Some(colon) = decoded.iter().position(|byte| *byte == b':') else { return false };
        let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
        // Both are compared, whatever came of the first.
        same(name, self.name.as_bytes()) & self.is_password(password)
    }

    fn is_password(&self, brought: &[u8]) -> bool {
        match self.password.strip_prefix(HASHED) {
            Some(hash) => same(hex(&Sha1::digest(brought)).as_bytes(), hash.to_ascii_lowercase().as_bytes()),
            None => same(brought, self.password.as_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Who may use a server.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Who may do anything.
    pub(crate) operator: Option<Login>,
    /// Who may look.
    pub(crate) reader: Option<Login>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Anything.
    Operator,
    /// Look.
    Reader,
}

impl Access {
    /// What who sent this may do; none if nothing. Where no names are said, it is whoever reaches the server.
    pub(super) fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let is = |login: &Option<Login>| login.as_ref().is_some_and(|login| login.admits(headers));
        // Both are compared, whatever came of the first.
        match (is(&self.operator), is(&self.reader)) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Reader),
            (false, false) => (self.operator.is_none() && self.reader.is_none()).then_some(Role::Operator),
        }
    }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |seen, (one, other)| seen | (one ^ other));
    std::hint::black_box(differences) == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_looks_an_operator_does_anything_and_where_nobody_is_named_everybody_does() {
        let login = |name: &str| Some(Login::new(name.into(), "pass".into()));
        let role = |operator, reader, who: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, basic(who).parse().unwrap());
            Access { operator, reader }.role(&headers)
        };
        assert_eq!(role(login("op"), login("eye"), "op:pass"), Some(Role::Operator));
        assert_eq!(role(login("op"), login("eye"), "eye:pass"), Some(Role::Reader));
        assert_eq!(role(login("op"), login("eye"), "eye:wrong"), None);
        assert_eq!(role(None, login("eye"), "eye:pass"), Some(Role::Reader));
        assert_eq!(role(None, login("eye"), "op:pass"), None, "a reader alone shuts out all others");
        assert_eq!(role(login("op"), None, ":"), None);
        assert_eq!(role(None, None, ":"), Some(Role::Operator));
    }

    fn admitted(password: &str, header_value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, header_value.parse().unwrap());
        Login::new("user".into(), password.into()).admits(&headers)
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", base64::encode(text.as_bytes()))
    }

    #[test]
    fn who_brings_name_and_password_is_admitted_and_nobody_else() {
        let hashed = "{SHA}9d4e1e23bd5b727046a9e3b4b7db57bd8d6ee684";
        for password in ["pass", hashed, &hashed.to_uppercase()] {
            assert!(admitted(password, &basic("user:pass")), "{password}");
            assert!(admitted(password, &basic("user:pass").replace("Basic", "basic")));
            for wrong in ["user:", "user:pas", "user:passs", "use:pass", ":pass", "userpass", ""] {
                assert!(!admitted(password, &basic(wrong)), "{password} {wrong}");
            }
        }
        assert!(!admitted("pass", "Basic !"), "it is no base64");
        assert!(!admitted("pass", "Bearer dXNlcjpwYXNz"));
        assert!(!Login::new("user".into(), "pass".into()).admits(&HeaderMap::new()));
    }
}
