//! The configuration file: flags that are always given, and profiles of them.
//!
//! Keys are named like the long flags; every flag that has an environment variable may stand there. What the file says
//! becomes the default of the flag, so that the command line and the environment go before it and every command reads
//! it with its own parsers. A flag of a profile goes before the same flag outside of one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::args::{self, ConfigShowArgs};
use super::display::print_result;
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::item_args::{check, nearest};
use super::text::escape;

/// The variables that say which file and which profile.
const FILE_VARIABLE: &str = "RTORRENT_CLI_CONFIG";
const PROFILE_VARIABLE: &str = "RTORRENT_CLI_PROFILE";

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    Profile(String),
    File,
}

/// What the configuration says, by flag.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<String, (Vec<OsString>, Origin)>,
}

/// Where to look, from the command line and the environment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Where {
    /// `None`: the platform's; `none` for no file.
    pub file: Option<PathBuf>,
    pub profile: Option<String>,
}

impl Where {
    /// What `arguments` say before clap has read them: the configuration decides on how it reads them.
    pub fn of(arguments: &[OsString]) -> Where {
        let value = |flag: &str, variable: &str| -> Option<OsString> {
            let mut options = arguments.iter().skip(1).take_while(|argument| *argument != "--");
            let glued = format!("--{flag}=");
            let mut found = None;
            while let Some(argument) = options.next() {
                match argument.to_str() {
                    Some(text) if text.strip_prefix("--") == Some(flag) => found = options.next().cloned(),
                    Some(text) if text.starts_with(&glued) => found = Some(text[glued.len()..].into()),
                    _ => {}
                }
            }
            found.or_else(|| std::env::var_os(variable)).filter(|value| !value.is_empty())
        };
        Where {
            file: value("config", FILE_VARIABLE).map(PathBuf::from),
            profile: value("profile", PROFILE_VARIABLE).map(|name| name.to_string_lossy().into_owned()),
        }
    }

    /// The file that is meant, whether it is there or not; `None` for no file.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.file {
            Some(path) if path == Path::new("none") => None,
            Some(path) => Some(path.clone()),
            None => {
                directories::ProjectDirs::from("", "", "rtorrent-cli").map(|dirs| dirs.config_dir().join("config.toml"))
            }
        }
    }
}

impl Config {
    /// Reads the configuration. A file that nobody named and that is not there says nothing.
    ///
    /// # Errors
    /// What is wrong with it, with the file's name: unknown keys, values that no flag takes, a profile that is not there.
    pub fn load(place: &Where, command: &Command) -> Result<Config, Problem> {
        let no_profile =
            |name: &String, why: &str| Err(Problem::new(Exit::Usage, format!("--profile {}: {why}", escape(name))));
        let text = match place.path() {
            None => None,
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(text) => Some((path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && place.file.is_none() => None,
                Err(error) => return Err(file_problem("read the configuration", &path, error)),
            },
        };
        match (text, &place.profile) {
            (Some((path, text)), profile) => Config::parse(&text, profile.as_deref(), command)
                .map_err(|why| Problem::new(Exit::Usage, format!("{}: {why}", path.display()))),
            (None, Some(profile)) => no_profile(profile, "there is no configuration file"),
            (None, None) => Ok(Config::default()),
        }
    }

    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// What is wrong with it, as [`Config::load`] without the file's name.
    pub fn parse(text: &str, profile: Option<&str>, command: &Command) -> Result<Config, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            format!("line {line}: {}", error.message())
        })?;
        let known = settings(command);
        let mut config = Config::default();
        let mut profiles = &toml::Table::new();
        for (key, value) in &table {
            match value {
                toml::Value::Table(tables) if key == "profile" => profiles = tables,
                value => config.set(key, value, Origin::File, &known)?,
            }
        }
        for (name, values) in profiles {
            let values =
                values.as_table().ok_or_else(|| format!("profile.{name} is no table: write [profile.{name}]"))?;
            // One that is not used is looked at too, so that a mistake in it is found before it is needed.
            let mut own = Config::default();
            for (key, value) in values {
                own.set(key, value, Origin::Profile(name.clone()), &known)
                    .map_err(|why| format!("[profile.{name}] {why}"))?;
            }
            if profile == Some(name) {
                config.values.extend(own.values);
            }
        }
        match profile.filter(|name| !profiles.contains_key(*name)) {
            None => Ok(config),
            Some(name) => Err(match nearest(name, profiles.keys().map(String::as_str)) {
                Some(near) => format!("there is no [profile.{name}]; did you mean {near}?"),
                None => format!("there is no [profile.{name}]"),
            }),
        }
    }

    fn set(
        &mut self,
        key: &str,
        value: &toml::Value,
        origin: Origin,
        known: &BTreeMap<String, Arg>,
    ) -> Result<(), String> {
        let Some(arg) = known.get(key) else {
            return Err(match nearest(key, known.keys().map(String::as_str)) {
                Some(near) => format!("unknown key {key}; did you mean {near}?"),
                None => format!("unknown key {key}"),
            });
        };
        let texts = match value {
            toml::Value::Array(list) if matches!(arg.get_action(), ArgAction::Append) => {
                list.iter().map(|value| plain(key, value)).collect::<Result<Vec<_>, _>>()?
            }
            value => vec![plain(key, value)?],
        };
        for text in &texts {
            check(arg, text).map_err(|why| format!("{key}: {why}"))?;
        }
        self.values.insert(key.to_owned(), (texts.into_iter().map(OsString::from).collect(), origin));
        Ok(())
    }

    /// Gives every flag of every command the value that the configuration has for it.
    pub fn apply(&self, command: Command) -> Command {
        if self.values.is_empty() {
            return command;
        }
        let values: BTreeMap<String, Vec<OsString>> =
            self.values.iter().map(|(key, (values, _))| (key.clone(), values.clone())).collect();
        // A flag that can't be configured may have the name of one that can: the trackers to be asked are not those that
        // a new torrent names.
        let configured = |arg: Arg| match arg.get_env().and(arg.get_long()).and_then(|long| values.get(long)) {
            Some(values) => arg.default_values(values.clone()),
            None => arg,
        };
        command.mut_subcommands(|sub| sub.mut_args(configured))
    }
}

fn plain(key: &str, value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        toml::Value::Array(_) => Err(format!("{key}: one value, not a list")),
        toml::Value::Table(_) => Err(format!("{key}: a value, not a table")),
        toml::Value::Datetime(_) => Err(format!("{key}: write it in quotes")),
    }
}

/// The flags that may be configured, of all commands, by long name: those that have an environment variable, but for
/// those that say which configuration.
fn settings(command: &Command) -> BTreeMap<String, Arg> {
    let of_all = command.get_subcommands().flat_map(Command::get_arguments);
    let chosen =
        of_all.filter(|arg| arg.get_env().is_some_and(|name| name != FILE_VARIABLE && name != PROFILE_VARIABLE));
    let mut found = BTreeMap::new();
    for arg in chosen {
        if let Some(long) = arg.get_long() {
            found.entry(long.to_owned()).or_insert_with(|| arg.clone());
        }
    }
    found
}

/// The names of the profiles, as far as the file can be read.
pub fn profiles(place: &Where) -> Vec<String> {
    let text = place.path().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    table.get("profile").and_then(toml::Value::as_table).map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

/// `config path`.
pub fn show_path(place: &Where) -> Result<Exit, Problem> {
    match place.path() {
        Some(path) => print_result(&path.to_string_lossy())?,
        None => return Err(Problem::new(Exit::NotFound, "no configuration file is read (--config none)")),
    }
    Ok(Exit::Success)
}

/// `config show`: every flag of a run that can be configured, its value, and where that comes from.
pub fn show(place: &Where, args: &ConfigShowArgs) -> Result<Exit, Problem> {
    let command = args::command();
    let config = Config::load(place, &command)?;
    let known = settings(&command);
    let width = known.keys().map(String::len).max().unwrap_or(0);
    for (key, arg) in &known {
        let (value, origin) = value_of(key, arg, &config);
        if args.json {
            let texts: Vec<String> = value.iter().map(|value| value.to_string_lossy().into_owned()).collect();
            print_result(&json!({ "key": key, "value": texts, "origin": origin }).to_string())?;
            continue;
        }
        let shown = match (&value[..], arg.get_action()) {
            ([], ArgAction::SetTrue) => "false".to_owned(),
            ([], _) => "(not set)".to_owned(),
            ([one], ArgAction::SetTrue) => one.to_string_lossy().into_owned(),
            ([one], _) => quoted(one),
            (several, _) => format!("[{}]", several.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ")),
        };
        let hash = if value.is_empty() && shown == "(not set)" { "# " } else { "" };
        print_result(&format!("{hash}{key:width$} = {shown}  # {origin}"))?;
    }
    Ok(Exit::Success)
}

/// A string as TOML and people read it.
fn quoted(value: &OsStr) -> String {
    toml::Value::String(value.to_string_lossy().into_owned()).to_string()
}

fn value_of(key: &str, arg: &Arg, config: &Config) -> (Vec<OsString>, String) {
    let variable = arg.get_env().and_then(|name| Some((name, std::env::var_os(name)?)));
    if let Some((name, value)) = variable.filter(|(_, value)| !value.is_empty()) {
        return (vec![value], name.to_string_lossy().into_owned());
    }
    match config.values.get(key) {
        Some((values, Origin::File)) => (values.clone(), "file".into()),
        Some((values, Origin::Profile(name))) => (values.clone(), format!("profile {name}")),
        None => (arg.get_default_values().iter().map(|value| value.clone().into()).collect(), "default".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, profile: Option<&str>) -> Result<Config, String> {
        Config::parse(text, profile, &args::command())
    }

    const TEXT: &str = "dir = '/data'\njobs = 3\nno-dht = true\ntracker = ['udp://a:1', 'udp://b:1']\n\n[profile.night]\njobs = 8\nseed-time = 'inf'\n";

    fn get(config: &Config, line: &[&str]) -> args::GetArgs {
        let command = config.apply(args::command());
        let matches = command.try_get_matches_from(["rtorrent-cli", "get", "a"].iter().chain(line)).unwrap();
        let (_, sub) = matches.subcommand().unwrap();
        <args::GetArgs as clap::FromArgMatches>::from_arg_matches(sub).unwrap()
    }

    #[test]
    fn the_command_line_goes_before_the_profile_before_the_file_before_the_default() {
        let plain = get(&parse(TEXT, None).unwrap(), &[]);
        assert_eq!((plain.target.dir.to_str(), plain.batch.jobs, plain.network.no_dht), (Some("/data"), 3, true));
        assert_eq!(plain.network.trackers, ["udp://a:1", "udp://b:1"]);
        assert_eq!((plain.goals.seed_time, plain.network.no_pex), (None, false));
        let night = parse(TEXT, Some("night")).unwrap();
        assert_eq!(get(&night, &[]).batch.jobs, 8);
        assert!(get(&night, &[]).goals.seed_time.is_some());
        let line = get(&night, &["-j", "2", "-d", "here", "--tracker", "udp://c:1"]);
        assert_eq!((line.batch.jobs, line.target.dir.to_str()), (2, Some("here")));
        assert_eq!(line.network.trackers, ["udp://c:1"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_name() {
        let wrong = |text: &str| parse(text, None).unwrap_err();
        assert_eq!(wrong("jbos = 3"), "unknown key jbos; did you mean jobs?");
        assert_eq!(wrong("input-file = 'x'"), "unknown key input-file");
        assert!(wrong("jobs = 0").starts_with("jobs: "), "{}", wrong("jobs = 0"));
        assert_eq!(wrong("check = 'slow'"), "check: \"slow\" is none of quick, full, none");
        assert!(wrong("no-dht = 'perhaps'").starts_with("no-dht: "));
        assert_eq!(wrong("dir = ['a', 'b']"), "dir: one value, not a list");
        assert_eq!(wrong("[profile.x]\nmax-peer = 3"), "[profile.x] unknown key max-peer; did you mean max-peers?");
        assert!(wrong("dir = 'a'\njobs = ").starts_with("line 2: "), "{}", wrong("dir = 'a'\njobs = "));
        assert_eq!(parse(TEXT, Some("nigth")).unwrap_err(), "there is no [profile.nigth]; did you mean night?");
    }

    #[test]
    fn where_to_look_is_found_before_the_arguments_are_read() {
        let of = |line: &[&str]| Where::of(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            of(&["r", "get", "--profile", "a", "--config=b", "x"]),
            Where { file: Some("b".into()), profile: Some("a".into()) }
        );
        assert_eq!(of(&["r", "get", "--", "--profile", "a"]).profile, None);
        assert_eq!(of(&["r", "--config", "none"]).path(), None);
        assert!(Where::default().path().unwrap().ends_with("config.toml"));
    }

    #[test]
    fn every_value_that_has_a_default_would_pass_as_a_configuration() {
        let command = args::command();
        for (key, arg) in settings(&command) {
            for value in arg.get_default_values() {
                assert_eq!(check(&arg, value.to_str().unwrap()), Ok(()), "{key}");
            }
        }
    }
}
