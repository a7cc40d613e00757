# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rtorrent_cli_global_optspecs
    string join \n d/dir= o/output= check= overwrite no-part allocate= no-space-check sequential first-last s/select= x/exclude= I/interactive l/list n/dry-run i/input-file= j/jobs= resume archive= save-session= fail-fast seed-ratio= seed-time= no-upload metadata-timeout= stall-timeout= m/max-time= p/port= peer= tracker= no-trackers H/header= user-agent= max-peers= memory= no-dht dht-bootstrap= no-pex no-lsd web-seed= allow-private no-web-seeds transport= encryption= on-metadata= on-complete= on-error= json progress= q/quiet v/verbose log= color= state-dir= config= profile= h/help V/version
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
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l allocate -d 'Room on disk for new files: none (they grow), sparse, full (set aside at once)' -r -f -a "none\t''
sparse\t''
full\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s s -l select -d 'Only these: numbers (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s i -l input-file -d 'Sources from a file (- for standard input), one a line; indented key=value lines set flags of that item' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s j -l jobs -d 'Downloads at once; what is resolved or seeds is not counted' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l archive -d 'Skip the info hashes in this file, and add those that are completed' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l save-session -d 'Write what is not complete at the end to this file, for -i' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l seed-ratio -d 'Seed until R times the size is uploaded' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l seed-time -d 'Seed for so long; a bare number is minutes, inf for ever' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l stall-timeout -d 'Give up if nothing comes for so long' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s m -l max-time -d 'Stop the run after so long, state saved' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s H -l header -d 'Send this header when a .torrent is fetched from its URL' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l user-agent -d 'What HTTP servers and peers are told to be the client' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l web-seed -d 'Fetch from this web server too (BEP 19)' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l transport -d 'Reach peers over: auto (TCP and uTP, whichever connects first), tcp, utp' -r -f -a "auto\t''
tcp\t''
utp\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l on-metadata -d 'Run this (split into words, no shell) when an item\'s metadata is known' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l on-complete -d 'Run this when an item is complete; RTORRENT_HOOK_NAME, _DIR, _PATH, _FILES ... tell what' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l on-error -d 'Run this when an item has failed' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l overwrite -d 'Replace a file of something else that is in the way'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-part -d 'Unfinished files have their final names at once'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-space-check -d 'Begin although the free space looks short'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l sequential -d 'Fetch pieces from first to last'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l first-last -d 'Fetch the first and last piece of each file before the rest'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s I -l interactive -d 'Pick the files from a list, on a terminal'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s l -l list -d 'Show the files and what of them is selected, and end'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -s n -l dry-run -d 'Show what would happen (sizes, free space, what is there already), and end'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l resume -d 'Go on with all downloads that the state folder knows as unfinished'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l fail-fast -d 'End the run at the first failure'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-upload -d 'Serve nobody'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l allow-private -d 'Let torrents name web seeds and trackers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -l no-web-seeds -d 'Do not fetch from the web seeds that a torrent names'
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
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "ls" -d 'Show the downloads that the state folder knows'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "rm" -d 'Forget a download; its files stay'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "config" -d 'Show the configuration and where it comes from'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "schema" -d 'Print the JSON Schema of the events of --json'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "completions" -d 'Print a shell\'s completion script'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_needs_command" -a "man" -d 'Print the manual page, or write all pages to a folder'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s d -l dir -d 'Where downloads go; made if missing' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s o -l output -d 'Another name for the single file or the top folder' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l check -d 'What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none' -r -f -a "quick\t''
full\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l allocate -d 'Room on disk for new files: none (they grow), sparse, full (set aside at once)' -r -f -a "none\t''
sparse\t''
full\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s s -l select -d 'Only these: numbers (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s i -l input-file -d 'Sources from a file (- for standard input), one a line; indented key=value lines set flags of that item' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s j -l jobs -d 'Downloads at once; what is resolved or seeds is not counted' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l archive -d 'Skip the info hashes in this file, and add those that are completed' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l save-session -d 'Write what is not complete at the end to this file, for -i' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l seed-ratio -d 'Seed until R times the size is uploaded' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l seed-time -d 'Seed for so long; a bare number is minutes, inf for ever' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l stall-timeout -d 'Give up if nothing comes for so long' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s m -l max-time -d 'Stop the run after so long, state saved' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s H -l header -d 'Send this header when a .torrent is fetched from its URL' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l user-agent -d 'What HTTP servers and peers are told to be the client' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l web-seed -d 'Fetch from this web server too (BEP 19)' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l transport -d 'Reach peers over: auto (TCP and uTP, whichever connects first), tcp, utp' -r -f -a "auto\t''
tcp\t''
utp\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l on-metadata -d 'Run this (split into words, no shell) when an item\'s metadata is known' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l on-complete -d 'Run this when an item is complete; RTORRENT_HOOK_NAME, _DIR, _PATH, _FILES ... tell what' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l on-error -d 'Run this when an item has failed' -r -f -a "(__fish_complete_command)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l overwrite -d 'Replace a file of something else that is in the way'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-part -d 'Unfinished files have their final names at once'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-space-check -d 'Begin although the free space looks short'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l sequential -d 'Fetch pieces from first to last'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l first-last -d 'Fetch the first and last piece of each file before the rest'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s I -l interactive -d 'Pick the files from a list, on a terminal'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s l -l list -d 'Show the files and what of them is selected, and end'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s n -l dry-run -d 'Show what would happen (sizes, free space, what is there already), and end'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l resume -d 'Go on with all downloads that the state folder knows as unfinished'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l fail-fast -d 'End the run at the first failure'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-upload -d 'Serve nobody'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l allow-private -d 'Let torrents name web seeds and trackers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l no-web-seeds -d 'Do not fetch from the web seeds that a torrent names'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand get" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l save -d 'Write the .torrent to a file' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s p -l port -d 'Listen here [default: any free port]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l peer -d 'Call this peer too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l tracker -d 'Announce to this tracker too' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s H -l header -d 'Send this header when a .torrent is fetched from its URL' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l user-agent -d 'What HTTP servers and peers are told to be the client' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l web-seed -d 'Fetch from this web server too (BEP 19)' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l transport -d 'Reach peers over: auto (TCP and uTP, whichever connects first), tcp, utp' -r -f -a "auto\t''
tcp\t''
utp\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l metadata-timeout -d 'Give up if a magnet\'s metadata is not here in time' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l offline -d 'Show what a magnet link says itself, ask nobody'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l magnet -d 'Print the magnet link alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l scrape -d 'Ask the trackers how many seeders and leechers there are'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l allow-private -d 'Let torrents name web seeds and trackers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l no-web-seeds -d 'Do not fetch from the web seeds that a torrent names'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand info" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s s -l select -d 'Only these: numbers (1-5,8), globs (\'**/*.mkv\'), ext:mkv,srt, size>100M, re:..., folder/' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -s x -l exclude -d 'All but these' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand verify" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
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
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -s H -l header -d 'Send this header when a .torrent is fetched from its URL' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l user-agent -d 'What HTTP servers and peers are told to be the client' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l max-peers -d 'Connections an item, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l memory -d 'Buffers of the whole run, at most' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l dht-bootstrap -d 'Enter the DHT here' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l web-seed -d 'Fetch from this web server too (BEP 19)' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l transport -d 'Reach peers over: auto (TCP and uTP, whichever connects first), tcp, utp' -r -f -a "auto\t''
tcp\t''
utp\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l encryption -d 'Encrypt connections to peers: auto (with those that want it), require (all), off' -r -f -a "auto\t''
require\t''
off\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l progress -d 'Progress on standard error: auto, bar, plain, none' -r -f -a "auto\t''
bar\t''
plain\t''
none\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l super -d 'Let each peer know of few pieces at a time, so that the first copy costs the least upload'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-trackers -d 'Ignore the source\'s own trackers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-dht -d 'Do not use the DHT'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-pex -d 'Do not exchange peers with peers'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-lsd -d 'Do not look for peers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l allow-private -d 'Let torrents name web seeds and trackers on the local network'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand seed" -l no-web-seeds -d 'Do not fetch from the web seeds that a torrent names'
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
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l log -d 'Write a log to this file (with -v more of it)' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l color -d 'Colours: auto, always, never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -l json -d 'One JSON object a line on standard output'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s q -l quiet -d 'Show errors alone'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s v -l verbose -d 'Say more: causes of errors, then what the engine does (-vv, -vvv)'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -s u -l unfinished -d 'Only those that are not complete'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -l json -d 'One JSON object a line'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand ls" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -l state-dir -d 'Where resume data is kept, or none [default: the platform\'s state folder]' -r -f -a "(__fish_complete_directories)"
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -l config -d 'Read this configuration file, or none [default: the platform\'s, see `config path`]' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -l profile -d 'Use the configuration\'s [profile.NAME]' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -l complete -d 'All that are complete'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -l gone -d 'All of which nothing is on disk any more'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand rm" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and not __fish_seen_subcommand_from path show" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and not __fish_seen_subcommand_from path show" -f -a "path" -d 'Where the configuration file is, or would be'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and not __fish_seen_subcommand_from path show" -f -a "show" -d 'Every flag that can be configured, its value, and where that comes from'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from path" -l config -d 'This file instead of the platform\'s' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'This file instead of the platform\'s' -r -F
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from show" -l profile -d 'With this profile' -r
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'One JSON object a flag'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand schema" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rtorrent-cli -n "__fish_rtorrent_cli_using_subcommand man" -s h -l help -d 'Print help'
