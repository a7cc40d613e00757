//! The pools of connections: a client for each scheme, address family and kind of hosts.
//!
//! They are built when first used: plain HTTP pays nothing for TLS, and a machine without root certificates fails only
//! where it needs them. Their sockets are those of the permitted path; no proxy is taken from the environment.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, Url, dns, redirect};
use rustls::ClientConfig;
use tokio::sync::OnceCell;

use super::{HttpError, INWARD, all_global, why};
use crate::io::resolve::Resolver;
use crate::proto::tracker::udp::Family;

/// Connections to one server that are kept open for the next request.
pub(super) const IDLE: usize = 2;

/// Which hosts a request may go to. It holds where connections are made: a name that has another address by then than
/// when it was looked at leads nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hosts {
    Any,
    /// Those with addresses of the internet alone.
    Internet,
}

pub(super) struct Clients {
    user_agent: HeaderValue,
    resolver: Resolver,
    /// For [`Hosts::Any`] over both families, IPv4 and IPv6, then the same for [`Hosts::Internet`].
    plain: [OnceLock<Client>; 6],
    secure: [OnceCell<Client>; 6],
    tls: OnceCell<ClientConfig>,
}

impl Clients {
    pub fn new(user_agent: HeaderValue, resolver: Resolver) -> Clients {
        Clients { user_agent, resolver, plain: Default::default(), secure: Default::default(), tls: OnceCell::new() }
    }

    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The client that fetches `url` from one of `hosts`, over `family` alone if one is named. A URL with an address
    /// instead of a name is the caller's to judge.
    ///
    /// # Errors
    /// If it is neither http nor https, or the machine has no root certificates.
    pub async fn of(&self, url: &Url, family: Option<Family>, hosts: Hosts) -> Result<Client, HttpError> {
        let nth = match family {
            None => 0,
            Some(Family::V4) => 1,
            Some(Family::V6) => 2,
        } + match hosts {
            Hosts::Any => 0,
            Hosts::Internet => 3,
        };
        match url.scheme() {
            "http" => {
                let build = || self.build(family, hosts, bare_tls()).expect("a client without TLS can always be built");
                Ok(self.plain[nth].get_or_init(build).clone())
            }
            "https" => {
                let build = async || self.build(family, hosts, self.tls().await?);
                self.secure[nth].get_or_try_init(build).await.cloned()
            }
            _ => Err(HttpError::BadUrl("leads to something that is neither http nor https")),
        }
    }

    fn build(&self, family: Option<Family>, hosts: Hosts, tls: ClientConfig) -> Result<Client, HttpError> {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
        let builder = Client::builder()
            .user_agent(self.user_agent.clone())
            .default_headers(headers)
            .referer(false)
            .redirect(redirect::Policy::none())
            .http1_only()
            .dns_resolver(Arc::new(Names { resolver: self.resolver.clone(), family, hosts }))
            .connect_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(IDLE)
            .tls_backend_preconfigured(tls);
        let fenced = self.resolver.path().fence(builder, family).and_then(reqwest::ClientBuilder::build);
        fenced.map_err(|error| HttpError::Unreachable(why(&error)))
    }

    /// TLS with the system's root certificates, read on the first use by a thread that nobody has to wait for.
    ///
    /// # Errors
    /// If the machine has none.
    pub async fn tls(&self) -> Result<ClientConfig, HttpError> {
        let load = async || {
            let (tell, told) = tokio::sync::oneshot::channel();
            let work = move || drop(tell.send(system_tls()));
            drop(std::thread::Builder::new().name("root certificates".into()).spawn(work));
            let unusable = || HttpError::Unreachable("this machine has no root certificates that can be used".into());
            told.await.ok().and_then(Result::ok).ok_or_else(unusable)
        };
        self.tls.get_or_try_init(load).await.cloned()
    }
}

/// For plain HTTP: trusts nobody, reads nothing.
fn bare_tls() -> ClientConfig {
    let versions = tls_builder().expect("ring has the default versions");
    versions.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

fn system_tls() -> Result<ClientConfig, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let mut tls = tls_builder()?.with_platform_verifier()?.with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn tls_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// Our look-ups in the form that reqwest asks for, of what may be called.
struct Names {
    resolver: Resolver,
    family: Option<Family>,
    hosts: Hosts,
}

impl dns::Resolve for Names {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let (resolver, family, hosts) = (self.resolver.clone(), self.family, self.hosts);
        Box::pin(async move {
            let found = resolver.lookup(name.as_str()).await?;
            if hosts == Hosts::Internet && !all_global(&found) {
                return Err(INWARD.into());
            }
            let fits = |ip: &IpAddr| match family {
                None => true,
                Some(Family::V4) => ip.is_ipv4(),
                Some(Family::V6) => ip.is_ipv6(),
            };
            let found: Vec<_> = found.iter().copied().filter(fits).map(|ip| (ip, 0u16).into()).collect();
            Ok(Box::new(found.into_iter()) as dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_needs_no_root_certificates() {
        drop(bare_tls());
    }

    #[tokio::test]
    async fn a_name_that_has_come_to_lead_inward_is_not_called_for_the_internet() {
        let resolver = Resolver::new();
        resolver.pin("tracker.example", &["8.8.8.8".parse().unwrap(), "2620:fe::fe".parse().unwrap()]);
        let look_up = async |family, hosts| {
            let names = Names { resolver: resolver.clone(), family, hosts };
            let found = dns::Resolve::resolve(&names, "tracker.example".parse().unwrap()).await;
            found.map(|found| found.map(|addr| addr.ip().to_string()).collect::<Vec<_>>()).map_err(|e| e.to_string())
        };
        assert_eq!(look_up(None, Hosts::Internet).await.unwrap(), ["8.8.8.8", "2620:fe::fe"]);
        assert_eq!(look_up(Some(Family::V6), Hosts::Internet).await.unwrap(), ["2620:fe::fe"]);
        resolver.pin("tracker.example", &["8.8.8.8".parse().unwrap(), "::1".parse().unwrap()]);
        assert_eq!(look_up(Some(Family::V4), Hosts::Internet).await.unwrap_err(), INWARD);
        assert_eq!(look_up(Some(Family::V6), Hosts::Any).await.unwrap(), ["::1"]);
    }
}
