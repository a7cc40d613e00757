
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rtorrent-cli' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rtorrent-cli'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rtorrent-cli' {
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Where downloads go; made if missing')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Where downloads go; made if missing')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Another name for the single file or the top folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Another name for the single file or the top folder')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Downloads at once')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Downloads at once')
            [CompletionResult]::new('--seed-ratio', '--seed-ratio', [CompletionResultType]::ParameterName, 'Seed until R times the size is uploaded')
            [CompletionResult]::new('--seed-time', '--seed-time', [CompletionResultType]::ParameterName, 'Seed for so long; a bare number is minutes, inf for ever')
            [CompletionResult]::new('--metadata-timeout', '--metadata-timeout', [CompletionResultType]::ParameterName, 'Give up if a magnet''s metadata is not here in time')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Give up if nothing comes for so long')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Stop the run after so long, state saved')
            [CompletionResult]::new('--max-time', '--max-time', [CompletionResultType]::ParameterName, 'Stop the run after so long, state saved')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--peer', '--peer', [CompletionResultType]::ParameterName, 'Call this peer too')
            [CompletionResult]::new('--tracker', '--tracker', [CompletionResultType]::ParameterName, 'Announce to this tracker too')
            [CompletionResult]::new('--max-peers', '--max-peers', [CompletionResultType]::ParameterName, 'Connections an item, at most')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Buffers of the whole run, at most')
            [CompletionResult]::new('--dht-bootstrap', '--dht-bootstrap', [CompletionResultType]::ParameterName, 'Enter the DHT here')
            [CompletionResult]::new('--encryption', '--encryption', [CompletionResultType]::ParameterName, 'Encrypt connections to peers: auto (with those that want it), require (all), off')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--overwrite', '--overwrite', [CompletionResultType]::ParameterName, 'Replace a file of something else that is in the way')
            [CompletionResult]::new('--no-trackers', '--no-trackers', [CompletionResultType]::ParameterName, 'Ignore the source''s own trackers')
            [CompletionResult]::new('--no-dht', '--no-dht', [CompletionResultType]::ParameterName, 'Do not use the DHT')
            [CompletionResult]::new('--no-pex', '--no-pex', [CompletionResultType]::ParameterName, 'Do not exchange peers with peers')
            [CompletionResult]::new('--no-lsd', '--no-lsd', [CompletionResultType]::ParameterName, 'Do not look for peers on the local network')
            [CompletionResult]::new('--no-web-seeds', '--no-web-seeds', [CompletionResultType]::ParameterName, 'Do not fetch from web seeds')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Download, verify, exit (the default command)')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Show what a torrent or magnet link holds')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check data on disk against a torrent')
            [CompletionResult]::new('seed', 'seed', [CompletionResultType]::ParameterValue, 'Upload data that is on disk')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Say what works from here: DHT, calls from outside, disk, hashes')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all pages to a folder')
            break
        }
        'rtorrent-cli;get' {
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Where downloads go; made if missing')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Where downloads go; made if missing')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Another name for the single file or the top folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Another name for the single file or the top folder')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'What of the files on disk is believed: quick (intact resume data, else hashes), full (hashes alone), none')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Downloads at once')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Downloads at once')
            [CompletionResult]::new('--seed-ratio', '--seed-ratio', [CompletionResultType]::ParameterName, 'Seed until R times the size is uploaded')
            [CompletionResult]::new('--seed-time', '--seed-time', [CompletionResultType]::ParameterName, 'Seed for so long; a bare number is minutes, inf for ever')
            [CompletionResult]::new('--metadata-timeout', '--metadata-timeout', [CompletionResultType]::ParameterName, 'Give up if a magnet''s metadata is not here in time')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Give up if nothing comes for so long')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Stop the run after so long, state saved')
            [CompletionResult]::new('--max-time', '--max-time', [CompletionResultType]::ParameterName, 'Stop the run after so long, state saved')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--peer', '--peer', [CompletionResultType]::ParameterName, 'Call this peer too')
            [CompletionResult]::new('--tracker', '--tracker', [CompletionResultType]::ParameterName, 'Announce to this tracker too')
            [CompletionResult]::new('--max-peers', '--max-peers', [CompletionResultType]::ParameterName, 'Connections an item, at most')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Buffers of the whole run, at most')
            [CompletionResult]::new('--dht-bootstrap', '--dht-bootstrap', [CompletionResultType]::ParameterName, 'Enter the DHT here')
            [CompletionResult]::new('--encryption', '--encryption', [CompletionResultType]::ParameterName, 'Encrypt connections to peers: auto (with those that want it), require (all), off')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--overwrite', '--overwrite', [CompletionResultType]::ParameterName, 'Replace a file of something else that is in the way')
            [CompletionResult]::new('--no-trackers', '--no-trackers', [CompletionResultType]::ParameterName, 'Ignore the source''s own trackers')
            [CompletionResult]::new('--no-dht', '--no-dht', [CompletionResultType]::ParameterName, 'Do not use the DHT')
            [CompletionResult]::new('--no-pex', '--no-pex', [CompletionResultType]::ParameterName, 'Do not exchange peers with peers')
            [CompletionResult]::new('--no-lsd', '--no-lsd', [CompletionResultType]::ParameterName, 'Do not look for peers on the local network')
            [CompletionResult]::new('--no-web-seeds', '--no-web-seeds', [CompletionResultType]::ParameterName, 'Do not fetch from web seeds')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;info' {
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'Write the .torrent to a file')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--peer', '--peer', [CompletionResultType]::ParameterName, 'Call this peer too')
            [CompletionResult]::new('--tracker', '--tracker', [CompletionResultType]::ParameterName, 'Announce to this tracker too')
            [CompletionResult]::new('--max-peers', '--max-peers', [CompletionResultType]::ParameterName, 'Connections an item, at most')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Buffers of the whole run, at most')
            [CompletionResult]::new('--dht-bootstrap', '--dht-bootstrap', [CompletionResultType]::ParameterName, 'Enter the DHT here')
            [CompletionResult]::new('--encryption', '--encryption', [CompletionResultType]::ParameterName, 'Encrypt connections to peers: auto (with those that want it), require (all), off')
            [CompletionResult]::new('--metadata-timeout', '--metadata-timeout', [CompletionResultType]::ParameterName, 'Give up if a magnet''s metadata is not here in time')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Show what a magnet link says itself, ask nobody')
            [CompletionResult]::new('--magnet', '--magnet', [CompletionResultType]::ParameterName, 'Print the magnet link alone')
            [CompletionResult]::new('--scrape', '--scrape', [CompletionResultType]::ParameterName, 'Ask the trackers how many seeders and leechers there are')
            [CompletionResult]::new('--no-trackers', '--no-trackers', [CompletionResultType]::ParameterName, 'Ignore the source''s own trackers')
            [CompletionResult]::new('--no-dht', '--no-dht', [CompletionResultType]::ParameterName, 'Do not use the DHT')
            [CompletionResult]::new('--no-pex', '--no-pex', [CompletionResultType]::ParameterName, 'Do not exchange peers with peers')
            [CompletionResult]::new('--no-lsd', '--no-lsd', [CompletionResultType]::ParameterName, 'Do not look for peers on the local network')
            [CompletionResult]::new('--no-web-seeds', '--no-web-seeds', [CompletionResultType]::ParameterName, 'Do not fetch from web seeds')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;verify' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'Only these: indices (1-5,8), globs (''**/*.mkv''), ext:mkv,srt, size>100M, re:..., folder/')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'All but these')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;seed' {
            [CompletionResult]::new('--seed-ratio', '--seed-ratio', [CompletionResultType]::ParameterName, 'Seed until R times the size is uploaded')
            [CompletionResult]::new('--seed-time', '--seed-time', [CompletionResultType]::ParameterName, 'Seed for so long; a bare number is minutes, inf for ever')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'What is believed without hashing: quick (intact resume data), full (nothing)')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Listen here [default: any free port]')
            [CompletionResult]::new('--peer', '--peer', [CompletionResultType]::ParameterName, 'Call this peer too')
            [CompletionResult]::new('--tracker', '--tracker', [CompletionResultType]::ParameterName, 'Announce to this tracker too')
            [CompletionResult]::new('--max-peers', '--max-peers', [CompletionResultType]::ParameterName, 'Connections an item, at most')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Buffers of the whole run, at most')
            [CompletionResult]::new('--dht-bootstrap', '--dht-bootstrap', [CompletionResultType]::ParameterName, 'Enter the DHT here')
            [CompletionResult]::new('--encryption', '--encryption', [CompletionResultType]::ParameterName, 'Encrypt connections to peers: auto (with those that want it), require (all), off')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--no-trackers', '--no-trackers', [CompletionResultType]::ParameterName, 'Ignore the source''s own trackers')
            [CompletionResult]::new('--no-dht', '--no-dht', [CompletionResultType]::ParameterName, 'Do not use the DHT')
            [CompletionResult]::new('--no-pex', '--no-pex', [CompletionResultType]::ParameterName, 'Do not exchange peers with peers')
            [CompletionResult]::new('--no-lsd', '--no-lsd', [CompletionResultType]::ParameterName, 'Do not look for peers on the local network')
            [CompletionResult]::new('--no-web-seeds', '--no-web-seeds', [CompletionResultType]::ParameterName, 'Do not fetch from web seeds')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;doctor' {
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'The folder whose disk is tried')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'The folder whose disk is tried')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The port that others are to call [default: any free port]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The port that others are to call [default: any free port]')
            [CompletionResult]::new('--dht-bootstrap', '--dht-bootstrap', [CompletionResultType]::ParameterName, 'Ask this node of the DHT, not the well-known ones')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error: auto, bar, plain, none')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours: auto, always, never')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Where resume data is kept, or none [default: the platform''s state folder]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show errors alone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: causes of errors, then what the engine does (-vv, -vvv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rtorrent-cli;man' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
