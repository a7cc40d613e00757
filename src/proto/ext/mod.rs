//! The extension protocol (BEP 10) and the extensions that ride on it.

/// A peer's BEP 10 handshake, as far as we use it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExtHandshake {
    /// The peer's message id for `ut_metadata` (BEP 9); `None`: not offered, or switched off with 0.
    pub ut_metadata: Option<u8>,
    /// For `ut_pex` (BEP 11).
    pub ut_pex: Option<u8>,
    /// For `lt_donthave` (BEP 54).
    pub lt_donthave: Option<u8>,
    /// For `ut_holepunch` (BEP 55).
    pub ut_holepunch: Option<u8>,
    /// Size of the info dictionary in bytes, if it has it; never 0.
    pub metadata_size: Option<u32>,
    /// Requests that it holds at a time.
    pub reqq: Option<u32>,
    /// Its TCP listen port.
    pub port: Option<u16>,
    /// It will not download any more (BEP 21).
    pub upload_only: bool,
    /// Client name and version as it says, at most 64 bytes, escaped for showing.
    pub client: Option<String>,
    /// Our address as it sees it.
    pub your_ip: Option<std::net::IpAddr>,
}
