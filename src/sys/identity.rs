//! Identifies the caller, for the screen and the log: an unusual boot should say who requested it.

use std::ffi::OsStr;

/// The user who runs this command, such as `frodo from 192.0.2.7`: the name before `sudo`, and the origin of the SSH session (`sshd(8)`,
/// ENVIRONMENT) if there is one. Informational only: every caller is root and could claim any name.
pub fn of_caller() -> String {
    from_environment(|name| std::env::var_os(name))
}

fn from_environment<S: AsRef<OsStr>>(variable: impl Fn(&str) -> Option<S>) -> String {
    let word = |name: &str| {
        let value = variable(name)?;
        let word: String =
            value.as_ref().to_string_lossy().split_whitespace().next()?.chars().filter(|letter| !letter.is_control()).collect();
        (!word.is_empty()).then_some(word)
    };
    let name = word("SUDO_USER").or_else(|| word("USER")).or_else(|| word("LOGNAME")).unwrap_or_else(|| "root".to_owned());
    match word("SSH_CONNECTION").or_else(|| word("SSH_CLIENT")) {
        Some(from) => format!("{name} from {from}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> String {
        from_environment(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_name_and_where_from() {
        assert_eq!(with(&[]), "root");
        assert_eq!(with(&[("USER", "root"), ("SUDO_USER", "frodo")]), "frodo");
        assert_eq!(with(&[("USER", "sam"), ("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")]), "sam from 192.0.2.7");
        assert_eq!(with(&[("USER", " \n"), ("LOGNAME", "s\u{1b}am x")]), "sam");
    }
}
