//! Flags that say by which way packets may leave.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::cli::values::parse_name_server;
use crate::io::proxy::Proxy;

/// Address family, interface, proxy, name server.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub struct PathArgs {
    /// Use IPv4 alone
    #[arg(short = '4', long, env = "RTORRENT_CLI_IPV4", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 alone
    #[arg(short = '6', long, env = "RTORRENT_CLI_IPV6", hide_env = true, value_parser = BoolishValueParser::new())]
    pub ipv6: bool,
    /// Let nothing leave but by this interface; if it goes away, end (exit code 6)
    #[arg(long, value_name = "NAME|IP", env = "RTORRENT_CLI_INTERFACE", hide_env = true)]
    pub interface: Option<String>,
    /// Let nothing leave but through this proxy: socks5h://[USER:PASSWORD@]IP:PORT or http://...
    #[arg(long, value_name = "URL", value_parser = Proxy::parse, env = "RTORRENT_CLI_PROXY", hide_env = true)]
    pub proxy: Option<Proxy>,
    /// Ask this name server, not the system's
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_name_server)]
    #[arg(env = "RTORRENT_CLI_DNS", hide_env = true, conflicts_with = "proxy")]
    pub dns: Option<SocketAddr>,
}
