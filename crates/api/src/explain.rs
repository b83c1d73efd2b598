//! From a spec to what is told about it: variables, ports, unknown names.

use ganger_spec::{Explained, Origin, Port, ScaleError, Source, SourceKind, Spec, UnknownName, Variable};

use crate::{ApiError, EnvInfo, ErrorCode, OverriddenInfo, SourceInfo, VariableInfo};

impl EnvInfo {
    /// An environment that the spec explained.
    pub fn new(name: impl Into<String>, explained: Vec<Explained>, sources: &[Source]) -> Self {
        Self {
            name: name.into(),
            variables: explained.into_iter().map(variable).collect(),
            sources: sources.iter().map(source).collect(),
        }
    }
}

fn variable(explained: Explained) -> VariableInfo {
    let Explained { variable: Variable { name, value, origin }, overrides } = explained;
    let hidden = overrides.into_iter().map(|by| OverriddenInfo { value: by.value, origin: told(&by.origin) });
    VariableInfo { name, value, origin: told(&origin), overridden: hidden.collect() }
}

fn told(origin: &Origin) -> String {
    match origin {
        Origin::File { path, line } => format!("{}:{line}", path.display()),
        Origin::Ganger => "ganger".to_owned(),
        Origin::CommandLine => "the command line".to_owned(),
        Origin::Shell => "the environment of ganger".to_owned(),
    }
}

fn source(source: &Source) -> SourceInfo {
    let kind = match source.kind {
        SourceKind::Procfile => "procfile",
        SourceKind::Env => "env",
        SourceKind::Foreman => "foreman",
        SourceKind::GangerToml => "ganger-toml",
        SourceKind::Supervisor => "supervisor",
    };
    SourceInfo { path: source.path.clone(), kind: kind.to_owned(), found: source.found }
}

/// Why the workers of a group have the ports that they have: a sentence.
pub fn port_reason(spec: &Spec, group: &str) -> String {
    let position = spec.groups.iter().position(|known| known.name == group).unwrap_or_default();
    match spec.groups.get(position).map(|known| known.port) {
        Some(Port::Auto(first)) => format!("{group} is group {} and begins at {first}", position + 1),
        Some(Port::Fixed(first)) => format!("{group} is fixed to begin at {first}"),
        Some(Port::None) | None => format!("{group} has no port"),
    }
}

impl From<UnknownName> for ApiError {
    fn from(error: UnknownName) -> Self {
        Self { code: ErrorCode::UnknownName, message: error.to_string(), hint: error.hint() }
    }
}

impl From<ScaleError> for ApiError {
    fn from(error: ScaleError) -> Self {
        let code = match error {
            ScaleError::UnknownGroup { .. } => ErrorCode::UnknownName,
            ScaleError::TooMany { .. } => ErrorCode::BadRequest,
            ScaleError::PortOutOfRange { .. } => ErrorCode::PortOutOfRange,
        };
        Self { code, message: error.to_string(), hint: error.hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_is_told() {
        let said = |value: &str, origin| Variable { name: "A".into(), value: value.into(), origin };
        let file = Origin::File { path: "/srv/.env".into(), line: 3 };
        let explained = Explained {
            variable: said("1", file),
            overrides: vec![
                said("2", Origin::CommandLine),
                said("3", Origin::Ganger),
                said("4", Origin::Shell),
            ],
        };
        let info = EnvInfo::new("web.1", vec![explained], &[]);
        let variable = &info.variables[0];
        let hidden: Vec<_> = variable.overridden.iter().map(|hidden| hidden.origin.as_str()).collect();
        assert_eq!(variable.origin, "/srv/.env:3");
        assert_eq!(hidden, ["the command line", "ganger", "the environment of ganger"]);
    }
}
