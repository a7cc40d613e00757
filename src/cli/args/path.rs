//! Flags that say by which way packets may leave.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::cli::values::parse_name_server;
use crate::io::proxy::ProxyUrl;

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
    /// Go out by this interface alone
    ///
    /// The kernel ties every socket to it. When it goes away, the run ends with exit code 6.
    #[arg(long, value_name = "NAME|IP", env = "RTORRENT_CLI_INTERFACE", hide_env = true)]
    pub interface: Option<String>,
    /// Go through socks5h://HOST:PORT or http:// alone
    ///
    /// Nothing leaves by another way. USER:PASSWORD@ may stand before the host. Names are always looked up by the
    /// proxy: socks5:// means the same as socks5h:// here. Its own name, if it has one, is looked up once by the system
    /// when the run begins, and no other; an address needs none, and only an address may stand beside --interface.
    #[arg(long, value_name = "URL", value_parser = ProxyUrl::parse, env = "RTORRENT_CLI_PROXY", hide_env = true)]
    pub proxy: Option<ProxyUrl>,
    /// Ask this name server, not the system's
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_name_server)]
    #[arg(env = "RTORRENT_CLI_DNS", hide_env = true, conflicts_with = "proxy")]
    pub dns: Option<SocketAddr>,
}
