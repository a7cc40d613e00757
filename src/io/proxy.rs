//! Proxies: SOCKS5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110, 9.3.6), what is said to them and what they answer.
//! Datagrams: [`super::udp_relay`].

use std::io;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::net_path::is_this_machine;

/// A proxy as the user named it: by its address, or by a name that is to be looked up before anything else is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    kind: Kind,
    host: Host,
    port: u16,
    auth: Option<(String, String)>,
    url: Url,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

/// A proxy whose address is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    pub addr: SocketAddr,
    auth: Option<(String, String)>,
    url: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Socks5,
    Http,
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the password.
        write!(f, "{:?} {:?}:{}", self.kind, self.host, self.port)
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the password.
        write!(f, "{:?} {}", self.kind, self.addr)
    }
}

/// Why there is no tunnel.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProxyError {
    /// The proxy can't be reached or does not let us in.
    #[error("{0}")]
    Proxy(String),
    /// It does not let us in, and asking again changes nothing.
    #[error("{0}")]
    Login(&'static str),
    /// It can't reach the target.
    #[error("the target: {0}")]
    Target(io::ErrorKind),
    /// It carries no datagrams.
    #[error("it carries no UDP")]
    NoUdp,
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        ProxyError::Proxy(format!("it broke off: {error}"))
    }
}

const REFUSED: &str = "it refuses name and password";
const WANTED: &str = "it wants a name and a password";

/// Longest answer to a CONNECT.
const MAX_ANSWER: usize = 16 * 1024;

impl ProxyUrl {
    /// Reads `socks5h://[USER:PASSWORD@]HOST:PORT` or `http://…`; `socks5://` means the first.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<ProxyUrl, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("what kind of proxy is it? write socks5h://{text} or http://{text}"));
        };
        // A URL of http would lose its port 80, which is not the usual one of a proxy.
        let url = Url::parse(&format!("proxy://{rest}"));
        let url = url.map_err(|_| "a proxy is socks5h://HOST:PORT or http://HOST:PORT".to_owned())?;
        let scheme = scheme.to_ascii_lowercase();
        let (kind, usual) = match &*scheme {
            // Names are always looked up by the proxy; nobody is worse off for that.
            "socks5h" | "socks5" => (Kind::Socks5, 1080),
            "http" => (Kind::Http, 8080),
            "socks4" | "socks4a" | "socks" => {
                return Err(format!("{scheme}:// is not supported; most such proxies speak socks5h:// too"));
            }
            "https" => return Err("proxies over TLS are not supported; is it perhaps http://?".into()),
            _ => return Err(format!("{scheme}:// is no proxy that is known; socks5h:// and http:// are")),
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let fits_a_name = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c);
        let host = match host.parse() {
            Ok(ip) => Host::Ip(ip),
            // Wherever it is, and nobody is asked.
            Err(_) if is_this_machine(host) => Host::Ip([127, 0, 0, 1].into()),
            Err(_) if host.is_empty() || !host.chars().all(fits_a_name) => {
                return Err(format!("{host:?} is neither a host name nor an address"));
            }
            Err(_) => Host::Name(host.to_owned()),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let auth = (!url.username().is_empty())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        if auth.as_ref().is_some_and(|(user, password)| user.len() > 255 || password.len() > 255) {
            return Err("name and password of a proxy have 255 bytes at most".into());
        }
        let port = url.port().unwrap_or(usual);
        Ok(ProxyUrl { kind, host, port, auth, url })
    }

    /// The name that must be looked up to reach it, if it has no address.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Ip(_) => None,
            Host::Name(name) => Some(name),
        }
    }

    /// The proxy at its address; `found` is that of its name, where it has one.
    pub fn at(&self, found: IpAddr) -> Proxy {
        let ip = if let Host::Ip(ip) = self.host { ip } else { found };
        let addr = SocketAddr::new(ip, self.port);
        let login = match &self.auth {
            Some(_) => format!("{}:{}@", self.url.username(), self.url.password().unwrap_or_default()),
            None => String::new(),
        };
        let scheme = match self.kind {
            Kind::Socks5 => "socks5h",
            Kind::Http => "http",
        };
        Proxy { kind: self.kind, addr, auth: self.auth.clone(), url: format!("{scheme}://{login}{addr}") }
    }
}

impl Proxy {
    /// For the HTTP client.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks whether the proxy lets us in, as far as it says so without a target.
    ///
    /// # Errors
    /// [`ProxyError::Proxy`].
    pub async fn greet(&self, stream: &mut TcpStream) -> Result<(), ProxyError> {
        match self.kind {
            Kind::Socks5 => self.greet_socks(stream).await,
            Kind::Http => Ok(()),
        }
    }

    /// Makes a fresh connection to the proxy one to `target`.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub async fn tunnel(&self, stream: &mut TcpStream, target: SocketAddr) -> Result<(), ProxyError> {
        match self.kind {
            Kind::Socks5 => {
                self.greet_socks(stream).await?;
                ask_socks(stream, CONNECT, target).await.map(drop)
            }
            Kind::Http => self.connect_http(stream, target).await,
        }
    }

    /// True if it may carry datagrams; whether it does, it says itself.
    pub fn may_carry_udp(&self) -> bool {
        self.kind == Kind::Socks5
    }

    /// Asks over a fresh connection to the proxy for a relay of datagrams (RFC 1928, 7). It is there for as long as the
    /// connection is. Where it takes them.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub async fn associate(&self, stream: &mut TcpStream) -> Result<SocketAddr, ProxyError> {
        if !self.may_carry_udp() {
            return Err(ProxyError::NoUdp);
        }
        self.greet_socks(stream).await?;
        // From which address datagrams will come is not known where there is a NAT between: any.
        let any = if self.addr.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        let relay = match ask_socks(stream, UDP_ASSOCIATE, SocketAddr::new(any, 0)).await {
            Err(ProxyError::Target(_)) => return Err(ProxyError::NoUdp),
            answer => answer?.ok_or(ProxyError::NoUdp)?,
        };
        // It is at the proxy itself where the answer names no address.
        let ip = if relay.ip().is_unspecified() { self.addr.ip() } else { relay.ip() };
        if ip.is_ipv4() == self.addr.is_ipv4() { Ok(SocketAddr::new(ip, relay.port())) } else { Err(ProxyError::NoUdp) }
    }

    /// RFC 1928, 3, and RFC 1929.
    async fn greet_socks(&self, stream: &mut TcpStream) -> Result<(), ProxyError> {
        let wanted = if self.auth.is_some() { 2 } else { 0 };
        stream.write_all(&[5, 1, wanted]).await?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await?;
        match (answer, &self.auth) {
            ([5, 0], None) => Ok(()),
            ([5, 2], Some((user, password))) => {
                let mut words = vec![1, user.len() as u8];
                words.extend(user.bytes());
                words.push(password.len() as u8);
                words.extend(password.bytes());
                stream.write_all(&words).await?;
                stream.read_exact(&mut answer).await?;
                if answer[1] == 0 { Ok(()) } else { Err(ProxyError::Login(REFUSED)) }
            }
            ([5, 0xff], None) => Err(ProxyError::Login(WANTED)),
            ([5, _], _) => Err(ProxyError::Proxy("it wants another way of logging in".into())),
            _ => Err(ProxyError::Proxy("it does not speak SOCKS5".into())),
        }
    }

    async fn connect_http(&self, stream: &mut TcpStream, target: SocketAddr) -> Result<(), ProxyError> {
        let login = self.auth.as_ref().map_or(String::new(), |(user, password)| {
            format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
        });
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the answer is the peer's.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER {
                return Err(ProxyError::Proxy("its answer is too long".into()));
            }
            answer.push(stream.read_u8().await?);
        }
        let status = answer.split(|&byte| byte == b' ').nth(1).and_then(|word| std::str::from_utf8(word).ok());
        match status.and_then(|word| word.parse::<u16>().ok()) {
            Some(200..=299) => Ok(()),
            // Some say 401, which is a server's word; here only the proxy has one.
            Some(401 | 407) => Err(ProxyError::Login(if self.auth.is_some() { REFUSED } else { WANTED })),
            Some(403 | 405) => Err(ProxyError::Target(io::ErrorKind::PermissionDenied)),
            Some(504) => Err(ProxyError::Target(io::ErrorKind::TimedOut)),
            Some(400..=599) => Err(ProxyError::Target(io::ErrorKind::ConnectionRefused)),
            _ => Err(ProxyError::Proxy("it does not speak HTTP".into())),
        }
    }
}

/// What a SOCKS5 proxy is asked for (RFC 1928, 4).
const CONNECT: u8 = 1;
const UDP_ASSOCIATE: u8 = 3;

/// RFC 1928, 4 and 6. The address that the answer names, if it is one.
async fn ask_socks(stream: &mut TcpStream, command: u8, target: SocketAddr) -> Result<Option<SocketAddr>, ProxyError> {
    let mut request = vec![5, command, 0];
    match target.ip() {
        IpAddr::V4(ip) => {
            request.push(1);
            request.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            request.push(4);
            request.extend(ip.octets());
        }
    }
    request.extend(target.port().to_be_bytes());
    stream.write_all(&request).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let rest = match head[3] {
        1 => 4,
        3 => usize::from(stream.read_u8().await?),
        4 => 16,
        _ => return Err(ProxyError::Proxy("it does not speak SOCKS5".into())),
    };
    let mut bound = [0; 257];
    stream.read_exact(&mut bound[..rest + 2]).await?;
    let (bound, port) = (&bound[..rest], u16::from_be_bytes([bound[rest], bound[rest + 1]]));
    let ip: Option<IpAddr> = match head[3] {
        1 => <[u8; 4]>::try_from(bound).ok().map(IpAddr::from),
        4 => <[u8; 16]>::try_from(bound).ok().map(IpAddr::from),
        _ => None,
    };
    match head[1] {
        0 => Ok(ip.map(|ip| SocketAddr::new(ip.to_canonical(), port))),
        2 => Err(ProxyError::Target(io::ErrorKind::PermissionDenied)),
        3 => Err(ProxyError::Target(io::ErrorKind::NetworkUnreachable)),
        4 => Err(ProxyError::Target(io::ErrorKind::HostUnreachable)),
        6 => Err(ProxyError::Target(io::ErrorKind::TimedOut)),
        8 => Err(ProxyError::Target(io::ErrorKind::Unsupported)),
        _ => Err(ProxyError::Target(io::ErrorKind::ConnectionRefused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A proxy that is named by its address.
    fn proxy(url: &str) -> Proxy {
        let url = ProxyUrl::parse(url).unwrap();
        assert_eq!(url.name(), None);
        url.at([0, 0, 0, 0].into())
    }

    #[test]
    fn urls_are_read_and_bad_ones_say_why() {
        let with_password = proxy("socks5h://me:p%40ss@10.0.0.1");
        assert_eq!((with_password.kind, with_password.addr), (Kind::Socks5, "10.0.0.1:1080".parse().unwrap()));
        assert_eq!(with_password.auth, Some(("me".into(), "p@ss".into())));
        assert_eq!(with_password.url(), "socks5h://me:p%40ss@10.0.0.1:1080");
        assert!(!format!("{with_password:?}").contains("ss"), "no password in what is logged");
        assert_eq!(proxy("http://[::1]:3128").addr, "[::1]:3128".parse().unwrap());
        assert_eq!(proxy("http://localhost:3128").url(), "http://127.0.0.1:3128");
        assert_eq!(proxy("http://10.0.0.1").addr.port(), 8080);
        assert_eq!(proxy("http://10.0.0.1:80").url(), "http://10.0.0.1:80");
        for (bad, why) in [
            ("socks4://10.0.0.1:1", "socks5h://"),
            ("https://10.0.0.1:1", "http://"),
            ("ftp://10.0.0.1:1", "socks5h://"),
            ("10.0.0.1:1080", "socks5h://10.0.0.1:1080"),
            ("localhost:1080", "http://localhost:1080"),
            ("socks5h://:1080", "HOST:PORT"),
            ("socks5h://a%20b:1080", "host"),
            ("socks5h://a:99999", "HOST:PORT"),
        ] {
            let error = ProxyUrl::parse(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn a_name_is_left_to_be_looked_up_and_all_others_are_the_proxys_to_find() {
        let url = ProxyUrl::parse("socks5://u:p@proxy.example:1").unwrap();
        assert_eq!(url.name(), Some("proxy.example"));
        assert!(!format!("{url:?}").contains("p@"), "no password in what is logged");
        let found = url.at("2001:db8::7".parse().unwrap());
        assert_eq!((found.kind, found.addr), (Kind::Socks5, "[2001:db8::7]:1".parse().unwrap()));
        assert_eq!(found.url(), "socks5h://u:p@[2001:db8::7]:1", "not socks5, which would look targets up here");
        assert_eq!(ProxyUrl::parse("http://proxy_1").unwrap().at([10, 0, 0, 1].into()).url(), "http://10.0.0.1:8080");
    }

    /// What a proxy of one connection heard, when it answers with these words one after the other.
    async fn talk(
        url: &str,
        answers: &'static [&'static [u8]],
        lengths: &[usize],
    ) -> (Result<(), ProxyError>, Vec<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            for (answer, &len) in answers.iter().zip(lengths) {
                let mut words = vec![0; len];
                stream.read_exact(&mut words).await.unwrap();
                heard.push(words);
                stream.write_all(answer).await.unwrap();
            }
            heard
        };
        let proxy = proxy(&url.replace("ADDR", &addr.to_string()));
        let client = async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            proxy.tunnel(&mut stream, "1.2.3.4:258".parse().unwrap()).await
        };
        tokio::join!(client, server)
    }

    #[tokio::test]
    async fn socks_with_a_password() {
        let (end, heard) =
            talk("socks5h://u:pw@ADDR", &[&[5, 2], &[1, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]], &[3, 6, 10]).await;
        assert_eq!(end, Ok(()));
        assert_eq!(heard, [&[5, 1, 2][..], &[1, 1, b'u', 2, b'p', b'w'], &[5, 1, 0, 1, 1, 2, 3, 4, 1, 2]]);
    }

    #[tokio::test]
    async fn what_a_socks_proxy_refuses_is_told_apart_from_what_the_target_refuses() {
        let (end, _) = talk("socks5h://ADDR", &[&[5, 0xff]], &[3]).await;
        assert_eq!(end, Err(ProxyError::Login(WANTED)));
        let (end, _) = talk("socks5h://ADDR", &[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], &[3, 10]).await;
        assert_eq!(end, Err(ProxyError::Target(io::ErrorKind::ConnectionRefused)));
        let (end, _) = talk("socks5h://ADDR", &[b"HT"], &[3]).await;
        assert!(matches!(end, Err(ProxyError::Proxy(_))));
    }

    #[tokio::test]
    async fn a_relay_of_datagrams_is_where_the_proxy_says_or_at_the_proxy() {
        for (answer, at) in [
            (&[5, 0, 0, 1, 0, 0, 0, 0, 1, 2][..], Ok("127.0.0.1:258")),
            (&[5, 0, 0, 1, 10, 0, 0, 9, 1, 2], Ok("10.0.0.9:258")),
            (&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0], Err(ProxyError::NoUdp)),
            (&[5, 0, 0, 3, 1, b'a', 1, 2], Err(ProxyError::NoUdp)),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut words = [0; 10];
                stream.read_exact(&mut words[..3]).await.unwrap();
                stream.write_all(&[5, 0]).await.unwrap();
                stream.read_exact(&mut words).await.unwrap();
                stream.write_all(answer).await.unwrap();
                words
            };
            let client = async {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                proxy(&format!("socks5h://{addr}")).associate(&mut stream).await
            };
            let (got, asked) = tokio::join!(client, server);
            assert_eq!(asked, [5, 3, 0, 1, 0, 0, 0, 0, 0, 0]);
            assert_eq!(got, at.map(|addr| addr.parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn http_connect_with_a_password() {
        const ASK: &[u8] =
            b"CONNECT 1.2.3.4:258 HTTP/1.1\r\nHost: 1.2.3.4:258\r\nProxy-Authorization: Basic dTpwdw==\r\n\r\n";
        let (end, heard) =
            talk("http://u:pw@ADDR", &[b"HTTP/1.1 200 Connection established\r\n\r\n"], &[ASK.len()]).await;
        assert_eq!((end, heard), (Ok(()), vec![ASK.to_vec()]));
        let (end, _) = talk("http://u:pw@ADDR", &[b"HTTP/1.1 407 no\r\n\r\n"], &[ASK.len()]).await;
        assert_eq!(end, Err(ProxyError::Login(REFUSED)));
        let (end, _) = talk("http://u:pw@ADDR", &[b"HTTP/1.1 502 no\r\n\r\n"], &[ASK.len()]).await;
        assert_eq!(end, Err(ProxyError::Target(io::ErrorKind::ConnectionRefused)));
    }
}
