module completions {

  def "nu-complete rtorrent-cli check" [] {
    [ "quick" "full" "none" ]
  }

  def "nu-complete rtorrent-cli allocate" [] {
    [ "none" "sparse" "full" ]
  }

  def "nu-complete rtorrent-cli port_map" [] {
    [ "y" "yes" "t" "true" "on" "1" "n" "no" "f" "false" "off" "0" ]
  }

  def "nu-complete rtorrent-cli transport" [] {
    [ "auto" "tcp" "utp" ]
  }

  def "nu-complete rtorrent-cli encryption" [] {
    [ "auto" "require" "off" ]
  }

  def "nu-complete rtorrent-cli progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli color" [] {
    [ "auto" "always" "never" ]
  }

  # What is kept between runs
  export extern rtorrent-cli [
    --dir(-d): directory      # Where downloads go; made if missing
    --output(-o): string      # Name of the file or top folder; - is standard output
    --check: string@"nu-complete rtorrent-cli check" # Check what is there: quick, full, none
    --overwrite               # Replace a file of something else that is in the way
    --no-part                 # Unfinished files have their final names at once
    --allocate: string@"nu-complete rtorrent-cli allocate" # Space for files: none, sparse, full
    --no-space-check          # Begin although the free space looks short
    --sequential              # Fetch pieces from first to last
    --first-last              # Fetch the first and last piece of each file first
    --select(-s): string      # Only these: 1-5,8 '**/*.mkv' ext:mkv 'size>1G' re:X dir/
    --exclude(-x): string     # All but these, written as for --select
    --interactive(-I)         # Pick the files from a list, on a terminal
    --list(-l)                # Show the files and what of them is selected, and end
    --dry-run(-n)             # Show what would be fetched, what is there, the free space
    --input-file(-i): path    # Sources from this file; - is standard input
    --jobs(-j): string        # Downloads at once
    --resume                  # Go on with all that is unfinished (see `ls`)
    --archive: path           # Skip what this file names, add what is completed
    --save-session: path      # Write what is left at the end to this file, for -i
    --fail-fast               # End the run at the first failure
    --seed-ratio: string      # Seed until R times the size is uploaded
    --seed-time: string       # Seed for so long; a bare number is minutes, inf for ever
    --no-upload               # Serve nobody
    --metadata-timeout: string # Wait so long for metadata
    --stall-timeout: string   # Give up if nothing comes for so long
    --max-time(-m): string    # End the run after so long, state saved
    --limit-down: string      # Download no faster, all items together
    --limit-up: string        # Upload no faster, all items together
    --limit-schedule: string  # By time of day, as in 22:00-07:00=0,*=2M
    --port(-p): string        # Listen here [default: any free port]
    --peer: string            # Call this peer too
    --tracker: string         # Announce to this tracker too
    --no-trackers             # Ignore the source's own trackers
    --header(-H): string      # Send this header when fetching a .torrent
    --user-agent: string      # What servers and peers are told to be the client
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --max-peers: string       # Connections an item, at most
    --memory: string          # Buffers of the whole run, at most
    --no-dht                  # Do not use the DHT
    --dht-bootstrap: string   # Enter the DHT here, at HOST:PORT
    --no-pex                  # Do not exchange peers with peers
    --port-map: string@"nu-complete rtorrent-cli port_map" # Have the router forward our port, as seed does
    --no-lsd                  # Do not look for peers on the local network
    --web-seed: string        # Fetch from this web server too (BEP 19)
    --allow-private           # Let torrents name servers on the local network
    --blocklist: path         # Shun the peers in this list (CIDR, P2P, eMule)
    --no-web-seeds            # Do not fetch from the torrent's web seeds
    --transport: string@"nu-complete rtorrent-cli transport" # Call peers over auto, tcp, utp
    --encryption: string@"nu-complete rtorrent-cli encryption" # Encrypt: auto, require, off
    --on-metadata: string     # Run this when an item's metadata is known
    --on-complete: string     # Run this when an item is complete
    --on-error: string        # Run this when an item has failed
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    --version(-V)             # Print version
    ...sources: path          # Magnet link, .torrent file or its URL, info hash, - (standard input)
  ]

  def "nu-complete rtorrent-cli get check" [] {
    [ "quick" "full" "none" ]
  }

  def "nu-complete rtorrent-cli get allocate" [] {
    [ "none" "sparse" "full" ]
  }

  def "nu-complete rtorrent-cli get port_map" [] {
    [ "y" "yes" "t" "true" "on" "1" "n" "no" "f" "false" "off" "0" ]
  }

  def "nu-complete rtorrent-cli get transport" [] {
    [ "auto" "tcp" "utp" ]
  }

  def "nu-complete rtorrent-cli get encryption" [] {
    [ "auto" "require" "off" ]
  }

  def "nu-complete rtorrent-cli get progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli get color" [] {
    [ "auto" "always" "never" ]
  }

  # Download, verify, exit (the default command)
  export extern "rtorrent-cli get" [
    --dir(-d): directory      # Where downloads go; made if missing
    --output(-o): string      # Name of the file or top folder; - is standard output
    --check: string@"nu-complete rtorrent-cli get check" # Check what is there: quick, full, none
    --overwrite               # Replace a file of something else that is in the way
    --no-part                 # Unfinished files have their final names at once
    --allocate: string@"nu-complete rtorrent-cli get allocate" # Space for files: none, sparse, full
    --no-space-check          # Begin although the free space looks short
    --sequential              # Fetch pieces from first to last
    --first-last              # Fetch the first and last piece of each file first
    --select(-s): string      # Only these: 1-5,8 '**/*.mkv' ext:mkv 'size>1G' re:X dir/
    --exclude(-x): string     # All but these, written as for --select
    --interactive(-I)         # Pick the files from a list, on a terminal
    --list(-l)                # Show the files and what of them is selected, and end
    --dry-run(-n)             # Show what would be fetched, what is there, the free space
    --input-file(-i): path    # Sources from this file; - is standard input
    --jobs(-j): string        # Downloads at once
    --resume                  # Go on with all that is unfinished (see `ls`)
    --archive: path           # Skip what this file names, add what is completed
    --save-session: path      # Write what is left at the end to this file, for -i
    --fail-fast               # End the run at the first failure
    --seed-ratio: string      # Seed until R times the size is uploaded
    --seed-time: string       # Seed for so long; a bare number is minutes, inf for ever
    --no-upload               # Serve nobody
    --metadata-timeout: string # Wait so long for metadata
    --stall-timeout: string   # Give up if nothing comes for so long
    --max-time(-m): string    # End the run after so long, state saved
    --limit-down: string      # Download no faster, all items together
    --limit-up: string        # Upload no faster, all items together
    --limit-schedule: string  # By time of day, as in 22:00-07:00=0,*=2M
    --port(-p): string        # Listen here [default: any free port]
    --peer: string            # Call this peer too
    --tracker: string         # Announce to this tracker too
    --no-trackers             # Ignore the source's own trackers
    --header(-H): string      # Send this header when fetching a .torrent
    --user-agent: string      # What servers and peers are told to be the client
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --max-peers: string       # Connections an item, at most
    --memory: string          # Buffers of the whole run, at most
    --no-dht                  # Do not use the DHT
    --dht-bootstrap: string   # Enter the DHT here, at HOST:PORT
    --no-pex                  # Do not exchange peers with peers
    --port-map: string@"nu-complete rtorrent-cli get port_map" # Have the router forward our port, as seed does
    --no-lsd                  # Do not look for peers on the local network
    --web-seed: string        # Fetch from this web server too (BEP 19)
    --allow-private           # Let torrents name servers on the local network
    --blocklist: path         # Shun the peers in this list (CIDR, P2P, eMule)
    --no-web-seeds            # Do not fetch from the torrent's web seeds
    --transport: string@"nu-complete rtorrent-cli get transport" # Call peers over auto, tcp, utp
    --encryption: string@"nu-complete rtorrent-cli get encryption" # Encrypt: auto, require, off
    --on-metadata: string     # Run this when an item's metadata is known
    --on-complete: string     # Run this when an item is complete
    --on-error: string        # Run this when an item has failed
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli get progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli get color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    ...sources: path          # Magnet link, .torrent file or its URL, info hash, - (standard input)
  ]

  def "nu-complete rtorrent-cli info port_map" [] {
    [ "y" "yes" "t" "true" "on" "1" "n" "no" "f" "false" "off" "0" ]
  }

  def "nu-complete rtorrent-cli info transport" [] {
    [ "auto" "tcp" "utp" ]
  }

  def "nu-complete rtorrent-cli info encryption" [] {
    [ "auto" "require" "off" ]
  }

  def "nu-complete rtorrent-cli info progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli info color" [] {
    [ "auto" "always" "never" ]
  }

  # Show what a torrent or magnet link holds
  export extern "rtorrent-cli info" [
    --offline                 # Show what a magnet link says itself, ask nobody
    --save: path              # Write the .torrent to a file
    --magnet                  # Print the magnet link alone
    --scrape                  # Ask the trackers how many seeders and leechers there are
    --port(-p): string        # Listen here [default: any free port]
    --peer: string            # Call this peer too
    --tracker: string         # Announce to this tracker too
    --no-trackers             # Ignore the source's own trackers
    --header(-H): string      # Send this header when fetching a .torrent
    --user-agent: string      # What servers and peers are told to be the client
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --max-peers: string       # Connections an item, at most
    --memory: string          # Buffers of the whole run, at most
    --no-dht                  # Do not use the DHT
    --dht-bootstrap: string   # Enter the DHT here, at HOST:PORT
    --no-pex                  # Do not exchange peers with peers
    --port-map: string@"nu-complete rtorrent-cli info port_map" # Have the router forward our port, as seed does
    --no-lsd                  # Do not look for peers on the local network
    --web-seed: string        # Fetch from this web server too (BEP 19)
    --allow-private           # Let torrents name servers on the local network
    --blocklist: path         # Shun the peers in this list (CIDR, P2P, eMule)
    --no-web-seeds            # Do not fetch from the torrent's web seeds
    --transport: string@"nu-complete rtorrent-cli info transport" # Call peers over auto, tcp, utp
    --encryption: string@"nu-complete rtorrent-cli info encryption" # Encrypt: auto, require, off
    --metadata-timeout: string # Wait so long for metadata
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli info progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli info color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    source: path              # Magnet link, .torrent file or its URL, info hash, - (standard input)
  ]

  def "nu-complete rtorrent-cli verify progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli verify color" [] {
    [ "auto" "always" "never" ]
  }

  # Check data on disk against a torrent
  export extern "rtorrent-cli verify" [
    --select(-s): string      # Only these: 1-5,8 '**/*.mkv' ext:mkv 'size>1G' re:X dir/
    --exclude(-x): string     # All but these, written as for --select
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli verify progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli verify color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    source: path              # The .torrent: a file, its URL, or - (standard input)
    path?: path               # The folder of `get -d`, or the file or folder itself
  ]

  def "nu-complete rtorrent-cli create progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli create color" [] {
    [ "auto" "always" "never" ]
  }

  # Make a .torrent of a file or folder
  export extern "rtorrent-cli create" [
    --output(-o): path        # Write here; - is standard output [default: NAME.torrent]
    --force(-f)               # Replace a file that is there
    --dry-run(-n)             # Show what would be in it, hash and write nothing
    --glob(-g): string        # Only files that match; !PAT leaves out
    --hidden                  # Files and folders that begin with a dot too
    --ignore-files            # Leave out what .gitignore and .ignore files name
    --follow(-L)              # Take what links lead to
    --v2                      # A v2 torrent (BEP 52), for newer programs alone
    --hybrid                  # Both v1 and v2 in one torrent, for all programs
    --name: string            # Another name for the single file or the top folder
    --piece-length: string    # Bytes of a piece, a power of two [default: by size]
    --tracker(-t): string     # Announce here; again for the next tier
    --web-seed(-w): string    # This web server has the files too (BEP 19)
    --private                 # Peers from its trackers alone (BEP 27)
    --source: string          # A word that gives it an info hash of its own
    --comment(-c): string     # A comment
    --no-date                 # Do not say when it was made
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli create progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli create color" # Colours: auto, always, never
    --help(-h)                # Print help (see more with '--help')
    path: path                # The file or folder to share
  ]

  def "nu-complete rtorrent-cli seed check" [] {
    [ "quick" "full" ]
  }

  def "nu-complete rtorrent-cli seed port_map" [] {
    [ "y" "yes" "t" "true" "on" "1" "n" "no" "f" "false" "off" "0" ]
  }

  def "nu-complete rtorrent-cli seed transport" [] {
    [ "auto" "tcp" "utp" ]
  }

  def "nu-complete rtorrent-cli seed encryption" [] {
    [ "auto" "require" "off" ]
  }

  def "nu-complete rtorrent-cli seed progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli seed color" [] {
    [ "auto" "always" "never" ]
  }

  # Upload data that is on disk
  export extern "rtorrent-cli seed" [
    --seed-ratio: string      # Seed until R times the size is uploaded
    --seed-time: string       # Seed for so long; a bare number is minutes, inf for ever
    --super                   # Show each peer few pieces (BEP 16)
    --check: string@"nu-complete rtorrent-cli seed check" # Check what is there: quick, full
    --limit-down: string      # Download no faster, all items together
    --limit-up: string        # Upload no faster, all items together
    --limit-schedule: string  # By time of day, as in 22:00-07:00=0,*=2M
    --port(-p): string        # Listen here [default: any free port]
    --peer: string            # Call this peer too
    --tracker: string         # Announce to this tracker too
    --no-trackers             # Ignore the source's own trackers
    --header(-H): string      # Send this header when fetching a .torrent
    --user-agent: string      # What servers and peers are told to be the client
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --max-peers: string       # Connections an item, at most
    --memory: string          # Buffers of the whole run, at most
    --no-dht                  # Do not use the DHT
    --dht-bootstrap: string   # Enter the DHT here, at HOST:PORT
    --no-pex                  # Do not exchange peers with peers
    --port-map: string@"nu-complete rtorrent-cli seed port_map" # Have the router forward our port, as seed does
    --no-lsd                  # Do not look for peers on the local network
    --web-seed: string        # Fetch from this web server too (BEP 19)
    --allow-private           # Let torrents name servers on the local network
    --blocklist: path         # Shun the peers in this list (CIDR, P2P, eMule)
    --no-web-seeds            # Do not fetch from the torrent's web seeds
    --transport: string@"nu-complete rtorrent-cli seed transport" # Call peers over auto, tcp, utp
    --encryption: string@"nu-complete rtorrent-cli seed encryption" # Encrypt: auto, require, off
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli seed progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli seed color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    source: path              # The .torrent: a file, its URL, or - (standard input)
    path?: path               # The folder of `get -d`, or the file or folder itself
  ]

  def "nu-complete rtorrent-cli stream port_map" [] {
    [ "y" "yes" "t" "true" "on" "1" "n" "no" "f" "false" "off" "0" ]
  }

  def "nu-complete rtorrent-cli stream transport" [] {
    [ "auto" "tcp" "utp" ]
  }

  def "nu-complete rtorrent-cli stream encryption" [] {
    [ "auto" "require" "off" ]
  }

  def "nu-complete rtorrent-cli stream progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli stream color" [] {
    [ "auto" "always" "never" ]
  }

  # Play while it downloads: an HTTP server for players
  export extern "rtorrent-cli stream" [
    --player: string          # Run this player with the URL; end when it ends
    --http-port: string       # Serve players here [default: any free port]
    --http-bind: string       # Listen on this address
    --dir(-d): directory      # Where downloads go; made if missing
    --output(-o): string      # Name of the file or top folder
    --overwrite               # Replace a file of something else that is in the way
    --select(-s): string      # Only these: 1-5,8 '**/*.mkv' ext:mkv 'size>1G' re:X dir/
    --exclude(-x): string     # All but these, written as for --select
    --no-upload               # Serve no other peers
    --limit-down: string      # Download no faster, all items together
    --limit-up: string        # Upload no faster, all items together
    --limit-schedule: string  # By time of day, as in 22:00-07:00=0,*=2M
    --metadata-timeout: string # Wait so long for metadata
    --stall-timeout: string   # Give up if nothing comes for so long
    --max-time(-m): string    # End the run after so long, state saved
    --port(-p): string        # Listen here [default: any free port]
    --peer: string            # Call this peer too
    --tracker: string         # Announce to this tracker too
    --no-trackers             # Ignore the source's own trackers
    --header(-H): string      # Send this header when fetching a .torrent
    --user-agent: string      # What servers and peers are told to be the client
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --max-peers: string       # Connections an item, at most
    --memory: string          # Buffers of the whole run, at most
    --no-dht                  # Do not use the DHT
    --dht-bootstrap: string   # Enter the DHT here, at HOST:PORT
    --no-pex                  # Do not exchange peers with peers
    --port-map: string@"nu-complete rtorrent-cli stream port_map" # Have the router forward our port, as seed does
    --no-lsd                  # Do not look for peers on the local network
    --web-seed: string        # Fetch from this web server too (BEP 19)
    --allow-private           # Let torrents name servers on the local network
    --blocklist: path         # Shun the peers in this list (CIDR, P2P, eMule)
    --no-web-seeds            # Do not fetch from the torrent's web seeds
    --transport: string@"nu-complete rtorrent-cli stream transport" # Call peers over auto, tcp, utp
    --encryption: string@"nu-complete rtorrent-cli stream encryption" # Encrypt: auto, require, off
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli stream progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli stream color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    source: path              # Magnet link, .torrent file or its URL, info hash, - (standard input)
    file?: string             # Only this file, named as for --select
  ]

  def "nu-complete rtorrent-cli doctor progress" [] {
    [ "auto" "bar" "plain" "none" ]
  }

  def "nu-complete rtorrent-cli doctor color" [] {
    [ "auto" "always" "never" ]
  }

  # Say what works from here: DHT, calls from outside, disk, hashes
  export extern "rtorrent-cli doctor" [
    --dir(-d): directory      # The folder whose disk is tried
    --port(-p): string        # Listen here [default: any free port]
    --dht-bootstrap: string   # Enter the DHT here
    --ipv4(-4)                # Use IPv4 alone
    --ipv6(-6)                # Use IPv6 alone
    --interface: string       # Go out by this interface alone
    --proxy: string           # Go through socks5h://HOST:PORT or http:// alone
    --dns: string             # Ask this name server, not the system's
    --json                    # One JSON object a line on standard output
    --progress: string@"nu-complete rtorrent-cli doctor progress" # Progress: auto, bar, plain, none
    --quiet(-q)               # Show errors alone
    --verbose(-v)             # Say more: causes of errors; -vv and -vvv: every step
    --log: path               # Write a log to this file (with -v more of it)
    --color: string@"nu-complete rtorrent-cli doctor color" # Colours: auto, always, never
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
  ]

  # Show the downloads that the state folder knows
  export extern "rtorrent-cli ls" [
    --unfinished(-u)          # Only those that are not complete
    --json                    # One JSON object a line
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
  ]

  # Forget a download; its files stay
  export extern "rtorrent-cli rm" [
    --complete                # All that are complete
    --gone                    # All of which nothing is on disk any more
    --state-dir: directory    # Keep resume data here; none keeps nothing
    --config: path            # Read this configuration file, or none
    --profile: string         # Use the configuration's [profile.NAME]
    --help(-h)                # Print help (see more with '--help')
    ...which: string          # Info hash, its beginning, or name, as `ls` shows them
  ]

  # Show the configuration and where it comes from
  export extern "rtorrent-cli config" [
    --help(-h)                # Print help
  ]

  # Where the configuration file is, or would be
  export extern "rtorrent-cli config path" [
    --config: path            # This file instead of the platform's
    --help(-h)                # Print help
  ]

  # Every flag that can be configured, its value, and where that comes from
  export extern "rtorrent-cli config show" [
    --json                    # One JSON object a flag
    --config: path            # This file instead of the platform's
    --profile: string         # With this profile
    --help(-h)                # Print help
  ]

  # Print the JSON Schema of the events of --json
  export extern "rtorrent-cli schema" [
    --help(-h)                # Print help
  ]

  def "nu-complete rtorrent-cli completions shell" [] {
    [ "bash" "zsh" "fish" "powershell" "elvish" "nushell" ]
  }

  # Print a shell's completion script
  export extern "rtorrent-cli completions" [
    --help(-h)                # Print help
    shell: string@"nu-complete rtorrent-cli completions shell"
  ]

  # Print the manual page, or write all pages to a folder
  export extern "rtorrent-cli man" [
    --help(-h)                # Print help
    what?: directory          # The page of this command, or a folder to write all pages to
  ]

}

export use completions *
