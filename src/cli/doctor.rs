//! `doctor`: what works from here, and what to mend, in plain words.

use std::time::Duration;

use serde_json::{Value, json};

use super::args::{DoctorArgs, OutputArgs};
use super::display::{Display, print_result};
use super::error::Problem;
use super::exit::Exit;
use super::signals::Signals;
use super::size_time::size;
use super::text::count;
use super::{runtime, settings};
use crate::base::compact::is_global;
use crate::io::dht_task::TABLE_FILE;
use crate::io::doctor::{Calls, Diagnosis, Examination, Path, examine};
use crate::io::port_map::Mapped;
use crate::proto::dht::external::PortSeen;

/// How long the DHT may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// A disk slower than this holds a download up.
const SLOW_DISK: u64 = 20 << 20;

/// Does the command.
pub fn run(args: &DoctorArgs) -> Exit {
    // Its one JSON object says all; there are no events beside it.
    let display = Display::new(&OutputArgs { json: false, ..args.output.clone() });
    if let Err(problem) = settings::start_logging(&args.output, &display) {
        display.problem(&problem);
        return problem.exit;
    }
    let finished = runtime::block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            diagnosis = examine(examination(args)?) => Ok(Ok(diagnosis)),
            signal = signals.next() => Ok(Err(signal)),
        }
    });
    let shown = finished.and_then(|finished| match finished {
        Ok(diagnosis) => show(&diagnosis, args.output.json),
        Err(signal) => Ok(Exit::Signal(signal)),
    });
    shown.unwrap_or_else(|problem| {
        display.problem(&problem);
        problem.exit
    })
}

fn examination(args: &DoctorArgs) -> Result<Examination, Problem> {
    Ok(Examination {
        path: settings::path(&args.path)?,
        port: args.port.clone(),
        bootstrap: args.dht_bootstrap.clone(),
        table_file: settings::state_dir(args.state.state_dir.as_deref()).map(|dir| dir.join(TABLE_FILE)),
        dir: args.dir.clone(),
        patience: PATIENCE,
    })
}

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum State {
    Ok,
    /// It can't be known from here.
    Unknown,
    /// Downloads work, but not as well as they could.
    Warn,
    /// Downloads don't work.
    Bad,
}

/// One line of the answer.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
    /// What to do about it.
    mend: Option<String>,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Unknown => "unknown",
            State::Warn => "warn",
            State::Bad => "bad",
        }
    }
}

impl Finding {
    fn new(check: &'static str, state: State, text: impl Into<String>) -> Finding {
        Finding { check, state, text: text.into(), mend: None }
    }

    fn mend(self, mend: impl Into<String>) -> Finding {
        Finding { mend: Some(mend.into()), ..self }
    }
}

fn show(diagnosis: &Diagnosis, as_json: bool) -> Result<Exit, Problem> {
    let findings = findings(diagnosis);
    let exit = exit(&findings);
    let text = if as_json { to_json(diagnosis, &findings, exit).to_string() } else { to_lines(&findings).join("\n") };
    print_result(&text)?;
    Ok(exit)
}

fn exit(findings: &[Finding]) -> Exit {
    let bad = |disk: bool| findings.iter().any(|it| it.state == State::Bad && (it.check == "disk") == disk);
    match (bad(false), bad(true)) {
        (true, _) => Exit::Network,
        (false, true) => Exit::FileIo,
        (false, false) => Exit::Success,
    }
}

fn findings(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut findings = Vec::new();
    let any = diagnosis.v4.answers + diagnosis.v6.answers > 0;
    findings.extend(names(diagnosis, any));
    findings.push(dht("dht-ipv4", "IPv4", &diagnosis.v4, any));
    findings.push(dht("dht-ipv6", "IPv6", &diagnosis.v6, any));
    findings.extend(external("address-ipv4", "IPv4", &diagnosis.v4));
    findings.extend(external("address-ipv6", "IPv6", &diagnosis.v6));
    findings.extend(listens(diagnosis));
    match &diagnosis.port {
        Ok(port) => {
            findings.push(calls("calls-ipv4", "IPv4", *port, &diagnosis.v4));
            if diagnosis.v6.route.is_some() {
                findings.push(calls("calls-ipv6", "IPv6", *port, &diagnosis.v6));
            }
        }
        Err(why) => findings
            .push(Finding::new("calls-ipv4", State::Bad, format!("can't listen: {why}")).mend("give another --port")),
    }
    findings.extend(translator("nat-ipv4", &diagnosis.v4));
    findings.extend(mapping(diagnosis));
    findings.push(disk(diagnosis));
    findings.push(Finding::new(
        "hash",
        State::Ok,
        format!(
            "SHA-1 at {}/s a core, {}/s for a single piece",
            size(diagnosis.hash.bytes_per_second),
            size(diagnosis.hash.single)
        ),
    ));
    findings
}

/// Without names nothing leads to trackers, nor into the DHT unless nodes of an earlier run still answer.
fn names(diagnosis: &Diagnosis, any: bool) -> Option<Finding> {
    let lost = diagnosis.names > 0 && diagnosis.resolved == 0;
    lost.then(|| {
        let state = if any { State::Warn } else { State::Bad };
        Finding::new("names", state, format!("none of {} was resolved", count(diagnosis.names.into(), "name")))
            .mend("no name server answers: look at /etc/resolv.conf, or at what filters port 53")
    })
}

fn dht(check: &'static str, family: &str, path: &Path, any: bool) -> Finding {
    if path.answers > 0 {
        let nodes = count(path.nodes.into(), "node");
        let text = format!("{nodes} of the DHT over {family}; {} of {} queries answered", path.answers, path.queries);
        return Finding::new(check, State::Ok, format!("UDP works: {text}"));
    }
    if path.route.is_none() && path.queries == 0 {
        let state = if any || family == "IPv6" { State::Warn } else { State::Bad };
        let finding = Finding::new(check, state, format!("no {family}: this machine has no way to the Internet by it"));
        return match family {
            "IPv6" => finding.mend("peers that have only IPv6 are out of reach; the rest works without"),
            _ => finding.mend("look at the cable, the wireless network or the default route"),
        };
    }
    let state = if any { State::Warn } else { State::Bad };
    let state = if family == "IPv6" { State::Warn } else { state };
    match path.queries {
        0 => Finding::new(check, State::Unknown, format!("{family}: no node of the DHT is known by it")),
        queries => {
            let queries = if queries == 1 { "the query".into() } else { format!("any of {queries} queries") };
            Finding::new(check, state, format!("no answer to {queries} over {family}")).mend(
                "UDP is blocked on the way, or the nodes asked are down: let UDP out, or name another with --dht-bootstrap",
            )
        }
    }
}

fn external(check: &'static str, family: &str, path: &Path) -> Option<Finding> {
    match path.external {
        Some(ip) => Some(Finding::new(check, State::Ok, format!("the world sees {ip}"))),
        None if path.answers > 0 => {
            Some(Finding::new(check, State::Unknown, format!("nodes don't agree where they see us over {family}")))
        }
        None => None,
    }
}

/// Where we could be called, by TCP and by UDP; what keeps TCP from it is told with the calls.
fn listens(diagnosis: &Diagnosis) -> Option<Finding> {
    let (Ok(port), Some(udp)) = (&diagnosis.port, &diagnosis.udp_port) else { return None };
    Some(match udp {
        Ok(udp) if udp == port => {
            Finding::new("listen", State::Ok, format!("port {port} is open here for TCP and for UDP (uTP, DHT)"))
        }
        Ok(udp) => Finding::new(
            "listen",
            State::Warn,
            format!("TCP listens on port {port}, UDP (uTP, DHT) on {udp}: who calls us by uTP tries {port}"),
        )
        .mend("another program has that UDP port; give another --port"),
        Err(why) => Finding::new(
            "listen",
            State::Warn,
            format!("port {port} listens for TCP alone, without uTP and DHT: {why}"),
        )
        .mend("another program has that UDP port; give another --port"),
    })
}

/// What the one in between does to our UDP port: whether peers that nobody can call can meet us half-way.
fn translator(check: &'static str, path: &Path) -> Option<Finding> {
    let between = matches!(path.calls, Calls::Blocked | Calls::Forwarded);
    Some(match path.seen_port.filter(|_| between)? {
        PortSeen::Same(port) => Finding::new(
            check,
            State::Ok,
            format!("the router shows us to all at UDP port {port}: uTP and hole punching get through"),
        ),
        PortSeen::Differs => Finding::new(
            check,
            State::Warn,
            "the router shows each node another UDP port of ours: hole punching does not get through",
        )
        .mend("forward a port, or turn off \"symmetric NAT\" in the router; calls of our own work all the same"),
    })
}

fn calls(check: &'static str, family: &str, port: u16, path: &Path) -> Finding {
    match path.calls {
        Calls::Direct => Finding::new(
            check,
            State::Ok,
            format!(
                "nothing translates {family} addresses here: others can call port {port} unless a firewall stops them"
            ),
        ),
        Calls::Forwarded => {
            Finding::new(check, State::Ok, format!("a call to the world's address came back to port {port}"))
        }
        Calls::Blocked => Finding::new(
            check,
            State::Warn,
            format!("others can't call port {port} over {family}: a router is between"),
        )
        .mend("downloads work, with fewer peers; forward a TCP and UDP port to this machine and give it with --port"),
        Calls::Unknown => Finding::new(
            check,
            State::Unknown,
            format!("whether others can call us over {family}: nobody has told our address"),
        ),
    }
}

/// Of interest where there is a router between us and the world.
fn mapping(diagnosis: &Diagnosis) -> Option<Finding> {
    let between = diagnosis.v4.route.is_some() && diagnosis.v4.calls != Calls::Direct;
    between.then(|| match &diagnosis.mapping {
        Ok(Mapped { by, external: Some(external), .. })
            if !is_global(*external) || diagnosis.v4.external.is_some_and(|seen| seen != *external) =>
        {
            let text =
                format!("the router forwards ports by {by}, but stands behind another one itself, at {external}");
            Finding::new("port-map", State::Warn, text)
                .mend("the provider shares one address among customers: others can call over IPv6 only, if at all")
        }
        Ok(Mapped { by, .. }) => {
            Finding::new("port-map", State::Ok, format!("the router forwards our port by {by}: --port-map works"))
        }
        Err(why) => Finding::new("port-map", State::Unknown, format!("the router forwards nothing by itself: {why}"))
            .mend("turn on UPnP or NAT-PMP in the router, if you want --port-map to work"),
    })
}

fn disk(diagnosis: &Diagnosis) -> Finding {
    match &diagnosis.disk {
        Ok(disk) if disk.bytes_per_second >= SLOW_DISK => {
            Finding::new("disk", State::Ok, format!("writes {}/s", size(disk.bytes_per_second)))
        }
        Ok(disk) => Finding::new("disk", State::Warn, format!("writes only {}/s", size(disk.bytes_per_second)))
            .mend("it will hold fast downloads up; another disk, or less work beside"),
        Err(why) => {
            Finding::new("disk", State::Bad, format!("can't write to {why}")).mend("choose another folder with --dir")
        }
    }
}

/// A line a finding, what to mend below it.
fn to_lines(findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for Finding { check, state, text, mend } in findings {
        lines.push(format!("{:<8}{check:<13} {text}", state.word()));
        lines.extend(mend.as_ref().map(|mend| format!("{:22}{mend}", "")));
    }
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
    lines.push(String::new());
    lines.push(
        match worst {
            State::Ok => "all is well",
            State::Unknown => "nothing wrong was found; some things can't be known from here",
            State::Warn => "downloads work from here, not as well as they could",
            State::Bad => "downloads don't work from here as things are",
        }
        .into(),
    );
    lines
}

fn to_json(diagnosis: &Diagnosis, findings: &[Finding], exit: Exit) -> Value {
    let path = |path: &Path| {
        json!({
            "route": path.route,
            "dht_nodes": path.nodes,
            "queries": path.queries,
            "answers": path.answers,
            "external": path.external,
            "udp_port_seen": match path.seen_port {
                Some(PortSeen::Same(port)) => json!(port),
                Some(PortSeen::Differs) => json!("differs"),
                None => Value::Null,
            },
            "calls": match path.calls {
                Calls::Direct => "direct",
                Calls::Forwarded => "forwarded",
                Calls::Blocked => "blocked",
                Calls::Unknown => "unknown",
            },
        })
    };
    let findings: Vec<Value> = findings
        .iter()
        .map(|it| json!({ "check": it.check, "state": it.state.word(), "text": it.text, "mend": it.mend }))
        .collect();
    json!({
        "port": diagnosis.port.as_ref().ok(),
        "udp_port": diagnosis.udp_port.as_ref().and_then(|port| port.as_ref().ok()),
        "port_map": diagnosis.mapping.as_ref().ok().map(|it| json!({ "by": it.by, "external": it.external })),
        "names": diagnosis.names,
        "names_resolved": diagnosis.resolved,
        "ipv4": path(&diagnosis.v4),
        "ipv6": path(&diagnosis.v6),
        "disk": diagnosis.disk.as_ref().ok().map(|disk| json!({ "write_rate": disk.bytes_per_second, "written": disk.written })),
        "hash": { "rate": diagnosis.hash.bytes_per_second, "single_rate": diagnosis.hash.single },
        "findings": findings,
        "exit": exit.code(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::doctor::{DiskSpeed, HashSpeed};

    fn well() -> Diagnosis {
        let path = Path {
            route: Some("60.1.2.3".parse().unwrap()),
            queries: 40,
            answers: 33,
            nodes: 30,
            external: Some("60.1.2.3".parse().unwrap()),
            seen_port: Some(PortSeen::Same(6881)),
            calls: Calls::Direct,
        };
        Diagnosis {
            port: Ok(6881),
            udp_port: Some(Ok(6881)),
            names: 5,
            resolved: 4,
            v4: path.clone(),
            v6: path,
            mapping: Ok(Mapped { by: "UPnP", external: Some("60.1.2.3".parse().unwrap()), tcp: 6881, udp: 6881 }),
            disk: Ok(DiskSpeed { bytes_per_second: 900 << 20, written: 128 << 20 }),
            hash: HashSpeed { bytes_per_second: 7 << 30, single: 2 << 30 },
        }
    }

    fn told(diagnosis: &Diagnosis) -> (String, Exit) {
        let findings = findings(diagnosis);
        (to_lines(&findings).join("\n"), exit(&findings))
    }

    #[test]
    fn where_all_works_nothing_is_to_be_mended() {
        let (text, exit) = told(&well());
        assert_eq!(exit, Exit::Success);
        assert!(text.contains("UDP works: 30 nodes of the DHT over IPv4; 33 of 40 queries answered"), "{text}");
        assert!(text.ends_with("all is well"), "{text}");
        assert_eq!(to_json(&well(), &findings(&well()), exit)["ipv6"]["external"], "60.1.2.3");
    }

    #[test]
    fn without_a_network_it_says_so_and_the_exit_code_too() {
        let offline = Diagnosis { names: 0, resolved: 0, v4: Path::default(), v6: Path::default(), ..well() };
        let (text, exit) = told(&offline);
        assert_eq!(exit, Exit::Network);
        assert!(text.contains("bad     dht-ipv4      no IPv4"), "{text}");
        assert!(text.ends_with("downloads don't work from here as things are"), "{text}");
    }

    #[test]
    fn without_names_there_is_no_way_in_unless_nodes_are_known() {
        let mut diagnosis = Diagnosis { resolved: 0, ..well() };
        assert_eq!(told(&diagnosis).1, Exit::Success);
        for path in [&mut diagnosis.v4, &mut diagnosis.v6] {
            *path = Path { route: path.route, ..Path::default() };
        }
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::Network);
        assert!(text.contains("none of 5 names was resolved"), "{text}");
    }

    #[test]
    fn one_family_alone_is_a_warning_and_both_silent_are_none() {
        let mut diagnosis = well();
        diagnosis.v6 = Path::default();
        assert_eq!(told(&diagnosis).1, Exit::Success);
        diagnosis.v4 = Path { answers: 0, external: None, calls: Calls::Unknown, ..diagnosis.v4 };
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::Network);
        assert!(text.contains("no answer to any of 40 queries over IPv4"), "{text}");
    }

    #[test]
    fn a_router_behind_another_one_is_told() {
        let mut diagnosis = well();
        diagnosis.v4.calls = Calls::Blocked;
        diagnosis.mapping.as_mut().unwrap().external = Some("100.64.3.4".parse().unwrap());
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::Success);
        assert!(text.contains("stands behind another one itself, at 100.64.3.4"), "{text}");
    }

    #[test]
    fn a_udp_port_that_is_taken_and_a_router_that_changes_ports_are_told() {
        let (text, _) = told(&well());
        assert!(text.contains("port 6881 is open here for TCP and for UDP") && !text.contains("nat-ipv4"), "{text}");
        let mut diagnosis = Diagnosis { udp_port: Some(Err("address in use".into())), ..well() };
        diagnosis.v4.calls = Calls::Blocked;
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::Success);
        assert!(text.contains("TCP alone, without uTP and DHT: address in use"), "{text}");
        assert!(text.contains("to all at UDP port 6881"), "{text}");
        diagnosis.v4.seen_port = Some(PortSeen::Differs);
        assert!(told(&diagnosis).0.contains("hole punching does not get through"));
        assert_eq!(to_json(&diagnosis, &[], exit)["ipv4"]["udp_port_seen"], "differs");
    }

    #[test]
    fn a_folder_that_cannot_be_written_has_its_own_exit_code() {
        let diagnosis = Diagnosis { disk: Err("/nowhere: no such folder".into()), ..well() };
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::FileIo);
        assert!(text.contains("can't write to /nowhere"), "{text}");
    }

    #[test]
    fn a_router_between_is_told_with_what_to_do() {
        let mut diagnosis = well();
        diagnosis.v4.calls = Calls::Blocked;
        let (text, exit) = told(&diagnosis);
        assert_eq!(exit, Exit::Success);
        assert!(text.contains("the router forwards our port by UPnP"), "{text}");
        assert!(text.contains("others can't call port 6881 over IPv4") && text.contains("--port"), "{text}");
    }
}
