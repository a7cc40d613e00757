//! The extension handshake (BEP 10, "handshake message"): theirs, read with forbearance, and ours.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use serde_bytes::ByteBuf;

use super::our_id;
use crate::base::bencode::{BencodeError, Dict, Limits, Value, to_bytes};

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
    pub your_ip: Option<IpAddr>,
    /// Its address of the family that this connection does not use, as it says (`ipv4`, `ipv6`).
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    /// It would rather have its connections encrypted (`e`).
    pub prefers_encryption: bool,
}

/// How many bytes of a client's name are kept.
const CLIENT_LEN: usize = 64;

impl ExtHandshake {
    /// Reads a handshake into what earlier ones of the same peer said: what it does not name stays as it was (BEP 10:
    /// the `m` dictionary is additive). A value of a wrong type counts as absent.
    ///
    /// # Errors
    /// If the payload is not one bencoded dictionary.
    pub fn update(&mut self, payload: &[u8]) -> Result<(), BencodeError> {
        let (value, _) = Value::parse(payload, Limits::EXTENSION)?;
        let dict = value.as_dict().ok_or_else(|| BencodeError::Shape("a handshake is a dictionary".into()))?;
        if let Some(ids) = dict.get(b"m").and_then(|m| m.as_dict()) {
            self.update_ids(ids);
        }
        let number = |key: &[u8]| dict.get(key).and_then(|value| value.as_u64());
        let positive = |key: &[u8]| number(key).and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0);
        self.metadata_size = positive(b"metadata_size").or(self.metadata_size);
        self.reqq = positive(b"reqq").or(self.reqq);
        self.port = number(b"p").and_then(|n| u16::try_from(n).ok()).filter(|&port| port > 0).or(self.port);
        self.upload_only = number(b"upload_only").map_or(self.upload_only, |n| n != 0);
        self.client = dict.get(b"v").and_then(|v| v.as_bytes()).and_then(for_showing).or(self.client.take());
        self.your_ip = dict.get(b"yourip").and_then(|ip| ip.as_bytes()).and_then(compact_ip).or(self.your_ip);
        let octets = |key: &[u8]| dict.get(key).and_then(|ip| ip.as_bytes());
        let ipv4 = octets(b"ipv4").and_then(|ip| <[u8; 4]>::try_from(ip).ok());
        let ipv6 = octets(b"ipv6").and_then(|ip| <[u8; 16]>::try_from(ip).ok());
        self.ipv4 = ipv4.map(Ipv4Addr::from).or(self.ipv4);
        self.ipv6 = ipv6.map(Ipv6Addr::from).or(self.ipv6);
        self.prefers_encryption = number(b"e").map_or(self.prefers_encryption, |n| n != 0);
        Ok(())
    }

    fn update_ids(&mut self, ids: Dict<'_>) {
        for (name, value) in ids.iter() {
            let Some(id) = value.as_u64().and_then(|id| u8::try_from(id).ok()) else { continue };
            let id = (id != 0).then_some(id);
            match name {
                b"ut_metadata" => self.ut_metadata = id,
                b"ut_pex" => self.ut_pex = id,
                b"lt_donthave" => self.lt_donthave = id,
                b"ut_holepunch" => self.ut_holepunch = id,
                _ => {}
            }
        }
    }
}

fn compact_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_canonical())
}

fn for_showing(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(CLIENT_LEN)])
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    (!text.is_empty()).then_some(text)
}

/// What we say of ourselves.
#[derive(Clone, Debug, Default)]
pub struct OurHandshake<'a> {
    /// Client name and version.
    pub client: &'a str,
    /// Our TCP listen port; said only where the peer can't see it, that is to whom we called.
    pub port: Option<u16>,
    pub reqq: u32,
    /// Size of the info dictionary, once we have it.
    pub metadata_size: Option<u32>,
    /// We will not download any more (BEP 21).
    pub upload_only: bool,
    /// No peer exchange: the torrent is private (BEP 27) or the user said so.
    pub no_pex: bool,
    /// The peer's address as we see it.
    pub your_ip: Option<IpAddr>,
    /// Our address of the family that this connection does not use, where the world sees one.
    pub other_ip: Option<IpAddr>,
}

impl OurHandshake<'_> {
    /// The payload of the message.
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            ipv4: Option<ByteBuf>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ipv6: Option<ByteBuf>,
            m: BTreeMap<&'static str, u8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata_size: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            p: Option<u16>,
            reqq: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            upload_only: Option<u8>,
            v: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            yourip: Option<ByteBuf>,
        }
        let mut m = BTreeMap::from([("lt_donthave", our_id::LT_DONTHAVE), ("ut_metadata", our_id::UT_METADATA)]);
        m.insert("ut_pex", if self.no_pex { 0 } else { our_id::UT_PEX });
        // Whoever may not tell of peers may not bring them together either.
        m.insert("ut_holepunch", if self.no_pex { 0 } else { our_id::UT_HOLEPUNCH });
        let octets = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(v4) => ByteBuf::from(v4.octets()),
            IpAddr::V6(v6) => ByteBuf::from(v6.octets()),
        };
        to_bytes(&Wire {
            ipv4: self.other_ip.filter(IpAddr::is_ipv4).map(octets),
            ipv6: self.other_ip.filter(IpAddr::is_ipv6).map(octets),
            m,
            metadata_size: self.metadata_size,
            p: self.port,
            reqq: self.reqq,
            // Said even if not: a later handshake has to take an earlier word back.
            upload_only: Some(self.upload_only.into()),
            v: self.client,
            yourip: self.your_ip.map(octets),
        })
        .expect("numbers and strings encode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> ExtHandshake {
        let mut handshake = ExtHandshake::default();
        handshake.update(payload).unwrap();
        handshake
    }

    #[test]
    fn a_libtorrent_handshake_is_read() {
        let read = read(
            b"d12:complete_agoi1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e12:ut_holepunchi0e\
              11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e11:upload_onlyi1e\
              1:v17:libtorrent/2.0.116:yourip4:\x7f\x00\x00\x01e",
        );
        assert_eq!((read.ut_metadata, read.ut_pex, read.lt_donthave), (Some(2), Some(1), Some(7)));
        assert_eq!((read.metadata_size, read.reqq, read.port), (Some(31235), Some(500), Some(6881)));
        assert!(read.upload_only);
        assert_eq!(read.client.as_deref(), Some("libtorrent/2.0.11"));
        assert_eq!(read.your_ip, Some([127, 0, 0, 1].into()));
    }

    #[test]
    fn a_second_handshake_changes_only_what_it_names() {
        let mut handshake = read(b"d1:md11:ut_metadatai3e6:ut_pexi1ee4:reqqi100ee");
        handshake.update(b"d1:md6:ut_pexi0eee").unwrap();
        assert_eq!((handshake.ut_metadata, handshake.ut_pex, handshake.reqq), (Some(3), None, Some(100)));
    }

    #[test]
    fn nonsense_counts_as_absent_and_a_name_is_cut_and_escaped() {
        let name = format!("\x1b[31m{}", "x".repeat(75));
        let message =
            format!("d1:mi1e13:metadata_sizei-5e1:pi70000e4:reqqi0e11:upload_only1:x1:v80:{name}6:yourip3:abce");
        let read = read(message.as_bytes());
        assert_eq!(ExtHandshake { client: read.client.clone(), ..Default::default() }, read);
        let client = read.client.unwrap();
        assert!(client.starts_with("\u{fffd}[31mx") && client.chars().count() == 64);
    }

    #[test]
    fn what_is_no_dictionary_is_an_error() {
        for bad in [&b""[..], b"i1e", b"d1:m", b"le"] {
            assert!(ExtHandshake::default().update(bad).is_err());
        }
    }

    #[test]
    fn ours_is_sorted_bencode_that_reads_back() {
        let ours = OurHandshake {
            client: "rtorrent-cli/0.1.0",
            port: Some(6881),
            reqq: 2000,
            metadata_size: Some(70),
            your_ip: Some([10, 0, 0, 1].into()),
            ..Default::default()
        };
        let bytes = ours.encode();
        let expected: &[u8] =
            b"d1:md11:lt_donthavei3e12:ut_holepunchi4e11:ut_metadatai1e6:ut_pexi2ee13:metadata_sizei70e\
            1:pi6881e4:reqqi2000e11:upload_onlyi0e1:v18:rtorrent-cli/0.1.06:yourip4:\x0a\x00\x00\x01e";
        assert_eq!(bytes, expected);
        assert_eq!(read(&bytes).reqq, Some(2000));
        let private = read(&OurHandshake { no_pex: true, ..ours.clone() }.encode());
        assert_eq!((private.ut_pex, private.ut_holepunch), (None, None));
        let both = OurHandshake { other_ip: Some("2001:db8::1".parse().unwrap()), ..ours };
        assert_eq!(read(&both.encode()).ipv6, Some("2001:db8::1".parse().unwrap()));
    }
}
