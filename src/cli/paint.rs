//! What the terminal on standard error can show: width, height, colours, characters beyond ASCII.

use std::io::IsTerminal as _;

use super::args::ColorWhen;

/// The abilities of standard error, found out once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Screen {
    /// A terminal that can move its cursor.
    pub terminal: bool,
    pub color: bool,
    /// Characters beyond ASCII may be drawn.
    pub unicode: bool,
}

impl Screen {
    /// Asks the environment and standard error.
    pub fn detect(when: ColorWhen) -> Screen {
        let terminal = std::io::stderr().is_terminal();
        Screen::from_environment(when, terminal, |name| std::env::var(name).ok())
    }

    fn from_environment(when: ColorWhen, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Screen {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").map_or(cfg!(unix), |term| term == "dumb");
        let forced = variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        let color = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto if set("NO_COLOR") => false,
            ColorWhen::Auto => forced || (terminal && !dumb),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
        let unicode = match locale {
            Some(locale) => {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            }
            None => cfg!(any(windows, target_os = "macos")),
        };
        Screen { terminal: terminal && !dumb, color, unicode }
    }

    /// A screen without abilities.
    #[cfg(test)]
    pub fn plain() -> Screen {
        Screen { terminal: false, color: false, unicode: true }
    }

    /// (columns, rows) now; the terminal may have been resized since it was last asked.
    pub fn size(&self) -> (usize, usize) {
        let (rows, columns) = console::Term::stderr().size_checked().unwrap_or((24, 80));
        (usize::from(columns), usize::from(rows))
    }

    pub fn bad(&self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    pub fn warn(&self, text: &str) -> String {
        self.wrap("33;1", text)
    }

    pub fn good(&self, text: &str) -> String {
        self.wrap("32;1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(when: ColorWhen, terminal: bool, variables: &[(&str, &str)]) -> Screen {
        Screen::from_environment(when, terminal, |name| {
            let default = (name == "TERM").then(|| "xterm".to_owned());
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()).or(default)
        })
    }

    #[test]
    fn colours_follow_the_flag_then_the_environment_then_the_terminal() {
        let color = |when, terminal, variables: &[(&str, &str)]| screen(when, terminal, variables).color;
        assert!(color(ColorWhen::Auto, true, &[]));
        assert!(!color(ColorWhen::Auto, false, &[]));
        assert!(!color(ColorWhen::Auto, true, &[("NO_COLOR", "1")]));
        assert!(color(ColorWhen::Auto, true, &[("NO_COLOR", "")]));
        assert!(!color(ColorWhen::Auto, true, &[("TERM", "dumb")]));
        assert!(color(ColorWhen::Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!color(ColorWhen::Auto, true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(color(ColorWhen::Always, false, &[("NO_COLOR", "1")]));
        assert!(!color(ColorWhen::Never, true, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn a_dumb_terminal_is_no_terminal_and_the_locale_says_what_can_be_drawn() {
        assert!(!screen(ColorWhen::Auto, true, &[("TERM", "dumb")]).terminal);
        assert!(screen(ColorWhen::Auto, true, &[("LANG", "en_US.UTF-8")]).unicode);
        assert!(!screen(ColorWhen::Auto, true, &[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(screen(ColorWhen::Auto, true, &[("LC_CTYPE", "C.utf8"), ("LC_ALL", "")]).unicode);
    }
}
