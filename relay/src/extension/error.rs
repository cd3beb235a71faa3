//! Why extensions could not be started or changed. Operators read these.

/// The config, or an extension, does not allow it. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// A table for an extension that is not there.
    #[error("[extensions.{found}]: no such extension; compiled in: {compiled_in}{}", did_you_mean(.nearest))]
    Unknown {
        /// As in the file.
        found: String,
        /// What is meant, perhaps.
        nearest: Option<&'static str>,
        /// All names.
        compiled_in: String,
    },
    /// A name in the list of extensions cannot be used.
    #[error("{0:?} cannot be an extension's name: {1}")]
    Name(&'static str, &'static str),
    /// A key of a table is wrong.
    #[error("[extensions.{extension}]: {problem}")]
    Config {
        /// Whose table.
        extension: &'static str,
        /// What was found, and what is allowed.
        problem: String,
    },
    /// The extension's `build` failed.
    #[error("[extensions.{extension}] could not be started: {problem}")]
    Build {
        /// Which one.
        extension: &'static str,
        /// Its own words.
        problem: String,
    },
    /// A service that an extension needs is not there.
    #[error(
        "[extensions.{extension}] needs {service}, which no extension that is on provides (or they need each other)"
    )]
    Needs {
        /// Which one.
        extension: &'static str,
        /// The name of the service's type.
        service: &'static str,
    },
    /// Two extensions want to be the only one.
    #[error("[extensions.{first}] and [extensions.{second}] both want {what}")]
    Taken {
        /// A mount, method or subcommand.
        what: String,
        /// Who has it.
        first: &'static str,
        /// Who wants it, too.
        second: &'static str,
    },
    /// An extension wants what the relay itself has.
    #[error(
        "[extensions.{extension}] wants the management method {method}, which is the relay's own; its author must \
             choose another name"
    )]
    Reserved {
        /// Who wants it.
        extension: &'static str,
        /// The method.
        method: String,
    },
    /// An extension wants a path at which the relay itself answers.
    #[error(
        "[extensions.{extension}] wants the path {path}, which is the relay's own: choose another one"
    )]
    OwnPath {
        /// Who wants it.
        extension: &'static str,
        /// The path.
        path: String,
    },
    /// No threads for an extension.
    #[error("[extensions.{extension}]: no threads for it")]
    Threads {
        /// Which one.
        extension: &'static str,
        /// The operating system's word.
        source: std::io::Error,
    },
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
