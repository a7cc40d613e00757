# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rtorrent_cli_global_optspecs
    string join \n d/dir= o/output= check= overwrite s/select= x/exclude= j/jobs= seed-ratio= seed-time= metadata-timeout= stall-timeout= m/max-time= p/port= peer= tracker= no-trackers max-peers= memory= no-dht dht-bootstrap= no-pex no-lsd no-web-seeds encryption= json progress= q/quiet v/verbose color= state-dir= h/help V/version
end

function __fish_rtorrent_cli_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rtorrent_cli_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rtorrent_cli_using_subcommand
    set -l cmd (__fish_rtorrent_cli_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s d -l dir -d 'Where downloads go; made if missing' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s o -l output -d 'Another name for the single file or the top folder' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l check -d 'What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none' -r -f -a "quick\t''
full\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s s -l select -d 'Only these: indices (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s j -l jobs -d 'Downloads at once' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l seed-ratio -d 'Seed until R times the size is uploaded' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l seed-time -d 'Seed for so long; a bare number is minutes, inf for ever' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l stall-timeout -d 'Give up if nothing comes for so long' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s m -l max-time -d 'Stop the run after so long, state saved' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l overwrite -d 'Replace a file of something else that is in the way'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-web-seeds -d 'Do not fetch from web seeds'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s V -l version -d 'Print version'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "get" -d 'Download, verify, exit (the default command)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "info" -d 'Show what a torrent or magnet link holds'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "verify" -d 'Check data on disk against a torrent'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "seed" -d 'Upload data that is on disk'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "doctor" -d 'Say what works from here: DHT, calls from outside, disk, hashes'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "completions" -d 'Print a shell\'s completion script'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "man" -d 'Print the manual page, or write all pages to a folder'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s d -l dir -d 'Where downloads go; made if missing' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s o -l output -d 'Another name for the single file or the top folder' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l check -d 'What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none' -r -f -a "quick\t''
full\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s s -l select -d 'Only these: indices (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s j -l jobs -d 'Downloads at once' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l seed-ratio -d 'Seed until R times the size is uploaded' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l seed-time -d 'Seed for so long; a bare number is minutes, inf for ever' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l stall-timeout -d 'Give up if nothing comes for so long' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s m -l max-time -d 'Stop the run after so long, state saved' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l overwrite -d 'Replace a file of something else that is in the way'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-web-seeds -d 'Do not fetch from web seeds'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l save -d 'Write the .torrent to a file' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l offline -d 'Show what a magnet link says itself, ask nobody'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l magnet -d 'Print the magnet link alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l scrape -d 'Ask the trackers how many seeders and leechers there are'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-web-seeds -d 'Do not fetch from web seeds'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s s -l select -d 'Only these: indices (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l seed-ratio -d 'Seed until R times the size is uploaded' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l seed-time -d 'Seed for so long; a bare number is minutes, inf for ever' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l check -d 'What is believed without hashing: quick (intact resume data), full (nothing)' -r -f -a "quick\t''
full\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-web-seeds -d 'Do not fetch from web seeds'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s d -l dir -d 'The folder whose disk is tried' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s p -l port -d 'The port that others are to call [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l dht-bootstrap -d 'Ask this node of the DHT, not the well-known ones' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand man" -s h -l help -d 'Print help'
