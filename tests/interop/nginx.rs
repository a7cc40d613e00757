//! A real web server: nginx, with the files of a torrent, in the ways that mirrors have.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::PATIENCE;
use crate::free_port::free_port;
use crate::process::{Running, wait};

/// A running server below a folder that holds `seed`, and perhaps `wrong`.
pub struct Nginx {
    _running: Running,
    port: u16,
    secure: u16,
    log: std::path::PathBuf,
}

impl Nginx {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(folder: &Path) -> Result<Nginx, String> {
        certify(folder)?;
        let (port, secure) = (free_port(), free_port());
        let (at, log) = (folder.display(), folder.join("access.log"));
        let settings = format!(
            "daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/nginx-error.log; events {{}}\n\
             http {{\n log_format bytes '$status $body_bytes_sent'; access_log {at}/access.log bytes;\n\
             client_body_temp_path {at}/t1; proxy_temp_path {at}/t2; fastcgi_temp_path {at}/t3;\n\
             uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;\n\
             server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{secure} ssl; root {at}/seed;\n\
             ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.key;\n\
             location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}\n\
             location /busy/ {{ if ($connection_requests ~ \"[24]0$\") {{ return 503; }} alias {at}/seed/; }}\n\
             location /wrong/ {{ alias {at}/wrong/; }} }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, settings).map_err(|e| e.to_string())?;
        let running = Running::start(folder, "nginx", Command::new("nginx").arg("-c").arg(&file))?;
        for port in [port, secure] {
            wait(PATIENCE, &mut || {
                TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|e| format!("nginx: {e}"))
            })?;
        }
        Ok(Nginx { _running: running, port, secure, log })
    }

    /// The address of `place`: nothing, or one of the locations above.
    pub fn url(&self, place: &str) -> String {
        format!("http://127.0.0.1:{}/{place}", self.port)
    }

    /// The same by HTTPS.
    pub fn secure_url(&self, place: &str) -> String {
        format!("https://127.0.0.1:{}/{place}", self.secure)
    }

    /// How many answers had this status, and their bytes.
    pub fn answers(&self, status: &str) -> (usize, u64) {
        // It logs an answer after it has sent it, and does one thing after the other: before it answers us.
        let ask = |mut socket: TcpStream| {
            socket.write_all(b"GET /what-is-nowhere HTTP/1.0\r\n\r\n")?;
            socket.read_to_end(&mut Vec::new())
        };
        TcpStream::connect(("127.0.0.1", self.port)).and_then(ask).expect("nginx answers");
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let bytes: Vec<u64> = log.lines().filter_map(|line| line.strip_prefix(status)?.trim().parse().ok()).collect();
        (bytes.len(), bytes.iter().sum())
    }
}

/// Makes `ca.pem`, an authority that nobody knows, and what it vouches for: `server.pem` and `server.key` for 127.0.0.1.
fn certify(folder: &Path) -> Result<(), String> {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("openssl {arguments:?}: {said}")) }
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let authority = ["req", "-x509", "-subj", "/CN=Test Authority", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&authority[..], &key].concat())?;
    let server = ["req", "-x509", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    let signed = ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"];
    openssl(&[&server[..], &signed, &["-keyout", "server.key", "-out", "server.pem"], &key].concat())
}
