//! `--blocklist` as a person uses it: lists of every form, plain and packed, and peers that are not called.

#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, UdpSocket};

use scene::Scene;

/// A torrent whose only peer listens here and says nothing.
struct Silent {
    scene: Scene,
    tcp: TcpListener,
    udp: UdpSocket,
    addr: String,
}

impl Silent {
    fn new() -> Silent {
        let scene = Scene::new();
        let made = scene.made("one.bin", 40_000, 7);
        scene.write("one.torrent", &made.bytes);
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind(tcp.local_addr().unwrap()).unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        let addr = tcp.local_addr().unwrap().to_string();
        Silent { scene, tcp, udp, addr }
    }

    /// A run of so many seconds; what it said, and whether the peer heard of it by TCP and by UDP.
    fn run(&self, list: &str, seconds: &str) -> (String, bool, bool) {
        let run = ["one.torrent", "--no-trackers", "--peer", &self.addr, "--blocklist", list, "--max-time", seconds];
        let seen = self.scene.get(&run);
        seen.ends(7);
        let called = self.tcp.accept().map_err(|error| assert_eq!(error.kind(), ErrorKind::WouldBlock)).is_ok();
        let told = self.udp.recv(&mut [0; 99]).map_err(|error| assert_eq!(error.kind(), ErrorKind::WouldBlock)).is_ok();
        (seen.err, called, told)
    }
}

#[test]
fn a_peer_that_stands_in_a_list_is_not_called() {
    let silent = Silent::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"Some Org, Ltd:127.0.0.0-127.255.255.255\nno sense\n").unwrap();
    silent.scene.write("list.gz", packed.finish().unwrap());
    // The longer times are for a machine that does not come to it within the first.
    let run = ["2", "10", "60"].iter().find_map(|seconds| {
        let (said, called, told) = silent.run("list.gz", seconds);
        assert!(!called && !told, "{said}");
        said.contains("stands in the blocklist").then_some(said)
    });
    let said = run.expect("it is said");
    assert!(said.contains("list.gz: 1 of 2 lines names no addresses (the first is line 2)"), "{said}");
    // The same run with another list does call it.
    silent.scene.write(
        "other.dat",
        "126.000.000.000 - 126.255.255.255 , 000 , eMule\n127.0.0.0 - 127.0.0.9 , 200 , let pass\n",
    );
    let run = ["2", "10", "60"].iter().find_map(|seconds| {
        let (said, called, _) = silent.run("other.dat", seconds);
        called.then_some(said)
    });
    let said = run.expect("it is called");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_file_that_is_no_blocklist_ends_the_run_with_a_reason() {
    let silent = Silent::new();
    let run = |list: &str| silent.scene.get(&["one.torrent", "--blocklist", list]);
    silent.scene.write("page.html", "<html>\n<p>log in first</p>\n</html>\n");
    silent.scene.write("list.zip", b"PK\x03\x04....");
    assert!(run("page.html").ends(2).err.contains("page.html is no blocklist"));
    assert!(run("missing").ends(3).err.contains("cannot read the blocklist missing: no such file"));
    assert!(run("list.zip").ends(17).err.contains("unpack it first"));
    // An empty list is a list.
    silent.scene.write("empty", "# nothing yet\n");
    silent.run("empty", "1");
}
