# Reports runs of a hardware configuration to runstate-bridge: keeps each result in a spool, signs it, and sends it until it is stored.
#
#   report-run.ps1 -Action Run  [options] -- COMMAND [ARG ...]   run it, keep its result, send what is kept
#   report-run.ps1 -Action Add  [options]                        keep a result given by options, send what is kept
#   report-run.ps1 -Action Send [options]                        send what is kept
#
#   what was run   -Configuration GUID -PolicyVersion N [-ExitCode N | -State S] [-Output FILE|-] [-Error FILE]
#                  [-RunId ID] [-CompletedAt INSTANT] [-DeviceName NAME] [-OsVersion V] [-Upn U]
#   who reports    -DeviceId ID -KeyFile FILE (base64, or protected by DPAPI),
#                  or -Certificate Entra | Intune | THUMBPRINT, or -Certificate FILE [-PrivateKey FILE]; [-Tenant ID]
#   where to       -Url URL -Spool DIR [-CaFile FILE] [-Proxy URL]
#   how            [-MaxAgeH 720] [-MaxMb 50] [-NoWait] [-Quiet] [-PassExitCode] [-Config FILE]
#   A -Config file holds NAME=VALUE lines. Options on the command line win. Names may be written as for report-run.sh, too.
#
# Exit codes: 0 nothing is left to send, 75 kept and to be sent later, 65 a result was refused for good (see SPOOL\refused),
# 64 wrong use, 73 the spool cannot be written.
#
# For Windows PowerShell 5.1 with .NET Framework 4.7.2, and PowerShell 7. What only Windows has (certificate store, registry, DPAPI,
# access lists) is in the section "What only Windows has", in functions that tests replace. There is no param block: powershell -File
# would refuse `--`, and end with 1 after wrong use.
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$MaxTextBytes = 49152        # of output and of error: 2.5 times that, twice, is less than the 256 KiB the bridge takes
$MaxMaskedBytes = 65536      # masking takes time; of what will be left out, only what is near is read
$MaxKeptBytes = 1048576      # of what a command prints or a file holds
$MaxBatchBytes = 3670016     # the bridge takes 4 MiB
$MaxBatchEntries = 100
$MaxAnswerBytes = 1048576
$FirstBackoffS = 15
$FirstJitterS = 8
$LongestBackoffS = 900
$LongestWaitS = 86400        # a time further ahead comes from a wrong clock, or from a proxy that is not well
$LockTries = 6
$ClockToleranceS = 250       # the bridge accepts 300
$RequestTimeoutS = 120
$PipesTimeoutMs = 2000       # a command has ended; something it started holds its output open

$Utf8 = New-Object System.Text.UTF8Encoding $false
$StrictUtf8 = New-Object System.Text.UTF8Encoding $false, $true
$IsOnWindows = [Environment]::OSVersion.Platform -eq [PlatformID]::Win32NT

# ---- Ends and messages ----

# How the agent ends: thrown to leave from anywhere, with the exit code.
function Stop-Agent([int] $Code, [string] $Message) {
  $reason = New-Object System.Exception $Message
  $reason.Data['ExitCode'] = $Code
  throw $reason
}

# To standard error, unless it is to be quiet: Intune takes anything there for a failed script.
function Write-Note([string] $Message) {
  if (-not $script:Settings.Quiet) { [Console]::Error.WriteLine("report-run: $Message") }
}

function Get-Now { return [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() }

# A random number from 0 to Below - 1.
function Get-RandomBelow([long] $Below) {
  if ($Below -le 1) { return [long] 0 }
  return [long] (Get-Random -Minimum ([long] 0) -Maximum $Below)
}

# ---- Options ----

$OptionNames = 'Url', 'Spool', 'Configuration', 'PolicyVersion', 'ExitCode', 'State', 'Output', 'Error', 'RunId', 'CompletedAt', 'DeviceName',
  'OsVersion', 'Upn', 'Tenant', 'DeviceId', 'KeyFile', 'Certificate', 'PrivateKey', 'CaFile', 'Proxy', 'MaxAgeH', 'MaxMb', 'NoWait', 'Quiet',
  'PassExitCode'
$SwitchNames = 'NoWait', 'Quiet', 'PassExitCode'

# All options by name, with their defaults.
function New-Settings {
  $settings = @{}
  foreach ($name in $OptionNames) { $settings[$name] = '' }
  foreach ($name in $SwitchNames) { $settings[$name] = $false }
  $settings.MaxAgeH = '720'
  $settings.MaxMb = '50'
  return $settings
}

function Set-Option([hashtable] $Settings, [string] $Name, [string] $Value) {
  $known = @($OptionNames | Where-Object { $_ -eq $Name.Replace('-', '') })
  if ($known.Count -eq 0) { Stop-Agent 64 "there is no option $Name" }
  if ($SwitchNames -contains $known[0]) { $Settings[$known[0]] = -not ('no', 'false', '0' -contains $Value) }
  else { $Settings[$known[0]] = $Value }
}

# NAME=VALUE lines; empty ones and those that begin with # are left out.
function Read-Config([hashtable] $Settings, [string] $File) {
  try { $lines = [IO.File]::ReadAllLines((Resolve-File $File)) }
  catch { Stop-Agent 64 "cannot read the configuration $File" }
  foreach ($line in $lines) {
    if ($line -eq '' -or $line.StartsWith('#')) { continue }
    $at = $line.IndexOf('=')
    if ($at -lt 1) { Stop-Agent 64 "not NAME=VALUE in ${File}: $line" }
    Set-Option $Settings $line.Substring(0, $at) $line.Substring($at + 1)
  }
}

# Reads action, options and command, and the file of -Config first, so that the command line wins. Within PowerShell the
# parser itself removes `--`: there the command begins with the first word that is no option.
function Read-Arguments([object[]] $Arguments) {
  $given = New-Object System.Collections.Generic.List[object]
  $action = ''
  $config = ''
  $command = @()
  $quiet = $false
  $first = 0
  if ($Arguments.Count -gt 0 -and 'run', 'add', 'send' -contains $Arguments[0]) {
    $action = [string] $Arguments[0]
    $first = 1
  }
  for ($i = $first; $i -lt $Arguments.Count; $i += 1) {
    $word = [string] $Arguments[$i]
    if ($word -eq '--') { $command = @($Arguments | Select-Object -Skip ($i + 1)); break }
    if ($word -notmatch '\A--?([A-Za-z][A-Za-z-]*)(:?)\z') { $command = @($Arguments | Select-Object -Skip $i); break }
    $name = $Matches[1].Replace('-', '')
    $hasValue = $SwitchNames -notcontains $name -or $Matches[2] -eq ':'
    $value = 'yes'
    if ($hasValue) {
      $i += 1
      if ($i -ge $Arguments.Count) { Stop-Agent 64 "$word needs a value" }
      $value = [string] $Arguments[$i]
      if ($Arguments[$i] -is [DateTime]) { $value = $Arguments[$i].ToUniversalTime().ToString('o') }
    }
    switch ($name) {
      'Action' { $action = $value }
      'Config' { $config = $value }
      default { $given.Add(@($name, $value)) }
    }
    if ($name -eq 'Quiet') { $quiet = -not ('no', 'false', '0' -contains $value) }
  }
  $script:Settings.Quiet = $quiet
  $settings = New-Settings
  if ($config -ne '') { Read-Config $settings $config }
  foreach ($pair in $given) { Set-Option $settings $pair[0] $pair[1] }
  $script:Settings = $settings
  $known = @('Run', 'Add', 'Send' | Where-Object { $_ -eq $action })
  if ($known.Count -eq 0) { Stop-Agent 64 'usage: report-run.ps1 -Action Run|Add|Send [options] [-- COMMAND [ARG ...]]' }
  $script:Action = $known[0]
  $script:Command = @($command | ForEach-Object { [string] $_ })
  if ($script:Action -eq 'Run' -and $script:Command.Count -eq 0) { Stop-Agent 64 'which command? give it after --' }
  if ($script:Action -ne 'Run' -and $script:Command.Count -gt 0) { Stop-Agent 64 "not an option: $($script:Command[0])" }
}

# .NET has a current directory of its own.
function Resolve-File([string] $File) {
  return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($File)
}

function Test-Id([string] $Text) { return $Text -cmatch '\A[A-Za-z0-9._-]{1,128}\z' }
function Test-Number([string] $Text) { return $Text -match '\A[0-9]{1,10}\z' }

function Assert-Readable([string] $File) {
  if (-not [IO.File]::Exists((Resolve-File $File))) { Stop-Agent 64 "cannot read $File" }
}

function Assert-Sender([hashtable] $Settings) {
  if ($Settings.Url -notmatch '\Ahttps?://[^?#\s]+\z') { Stop-Agent 64 '-Url must say where the bridge is, with http:// or https://, without query' }
  if ($Settings.Spool -eq '') { Stop-Agent 64 '-Spool must name a directory' }
  foreach ($name in 'MaxAgeH', 'MaxMb') {
    if (-not (Test-Number $Settings[$name]) -or [long] $Settings[$name] -eq 0) { Stop-Agent 64 '-MaxAgeH and -MaxMb are numbers above 0' }
  }
  if ($Settings.Tenant -ne '' -and $Settings.Tenant -cnotmatch '\A[a-z0-9-]{1,40}\z') { Stop-Agent 64 '-Tenant has 1 to 40 characters of a-z 0-9 -' }
  if ($Settings.CaFile -ne '') { Assert-Readable $Settings.CaFile }
  if ($Settings.Proxy -ne '' -and $Settings.Proxy -notmatch '\Ahttps?://[^\s]+\z') { Stop-Agent 64 '-Proxy must be the URL of a proxy' }
}

function Assert-Run([hashtable] $Settings) {
  if ($Settings.Configuration -notmatch '\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z') { Stop-Agent 64 '-Configuration must be a GUID' }
  if (-not (Test-Number $Settings.PolicyVersion)) { Stop-Agent 64 '-PolicyVersion must be a number' }
  if ($Settings.ExitCode -ne '' -and $Settings.ExitCode -notmatch '\A-?[0-9]{1,10}\z') { Stop-Agent 64 '-ExitCode must be a number' }
  if ($Settings.RunId -ne '' -and -not (Test-Id $Settings.RunId)) { Stop-Agent 64 'a run id has 1 to 128 characters of A-Z a-z 0-9 . _ -' }
  if ('', 'unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable' -cnotcontains $Settings.State) {
    Stop-Agent 64 '-State is one of unknown success fail scriptError pending notApplicable'
  }
  if ($script:Action -ne 'Run' -and $Settings.ExitCode + $Settings.State -eq '') { Stop-Agent 64 'give -ExitCode or -State' }
  foreach ($file in $Settings.Output, $Settings.Error) {
    if ($file -ne '' -and $file -ne '-') { Assert-Readable $file }
  }
}

# ---- What was printed, as text ----

# By the byte order mark; else UTF-8, which nothing else is by chance; else in the code page of consoles here.
function ConvertFrom-PrintedBytes([byte[]] $Bytes, [int] $CodePage = (Get-OemCodePage)) {
  if ($Bytes.Length -eq 0) { return '' }
  $start = [BitConverter]::ToString($Bytes, 0, [Math]::Min(3, $Bytes.Length))
  if ($start -eq 'EF-BB-BF') { return $Utf8.GetString($Bytes, 3, $Bytes.Length - 3) }
  if ($start.StartsWith('FF-FE')) { return [Text.Encoding]::Unicode.GetString($Bytes, 2, $Bytes.Length - 2) }
  if ($start.StartsWith('FE-FF')) { return [Text.Encoding]::BigEndianUnicode.GetString($Bytes, 2, $Bytes.Length - 2) }
  try { return $StrictUtf8.GetString($Bytes) }
  catch { return (Get-CodePage $CodePage).GetString($Bytes) }
}

function Get-CodePage([int] $CodePage) {
  # PowerShell 7 has them in a provider; .NET Framework has them at once.
  if ($PSVersionTable.PSVersion.Major -gt 5) { [Text.Encoding]::RegisterProvider([Text.CodePagesEncodingProvider]::Instance) }
  try { return [Text.Encoding]::GetEncoding($CodePage) }
  catch { return $Utf8 }
}

# The whole, or head and tail of half the limit each, in bytes of UTF-8; characters that the cuts go through are left out.
function Split-Middle([string] $Text, [int] $Limit) {
  $bytes = $Utf8.GetBytes($Text)
  if ($bytes.Length -le $Limit) { return @{ Parts = @($Text); LeftOut = 0 } }
  $half = $Limit / 2
  $headEnd = $half
  while (($bytes[$headEnd] -band 0xC0) -eq 0x80) { $headEnd -= 1 }
  $tailStart = $bytes.Length - $half
  while (($bytes[$tailStart] -band 0xC0) -eq 0x80) { $tailStart += 1 }
  $tail = $Utf8.GetString($bytes, $tailStart, $bytes.Length - $tailStart)
  return @{ Parts = @($Utf8.GetString($bytes, 0, $headEnd), $tail); LeftOut = $bytes.Length - $Limit }
}

# What a tool printed as the text that is reported. Passwords are masked first: control characters and cuts could hide what
# announces them.
# @param $LeftOut how many bytes were left out of the middle already
function ConvertTo-ReportedText([byte[]] $Bytes, [int] $CodePage = (Get-OemCodePage), [long] $LeftOut = 0) {
  $text = ConvertFrom-PrintedBytes $Bytes $CodePage
  $outer = Split-Middle $text $MaxMaskedBytes
  # Exactly: also what the cut left of characters.
  $LeftOut += $Utf8.GetByteCount($text)
  foreach ($part in $outer.Parts) { $LeftOut -= $Utf8.GetByteCount($part) }
  $clean = @($outer.Parts | ForEach-Object {
      $masked = Hide-BiosPassword $_
      $visible = [regex]::Replace($masked, '^\uFEFF|[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]', '')
      [regex]::Replace($visible, '\uFFFD+', [string] [char] 0xFFFD)
    })
  $inner = Split-Middle ($clean -join '') $MaxTextBytes
  # Masking may have made short what had to be cut.
  if ($clean.Count -gt $inner.Parts.Count) { $inner.Parts = $clean }
  return $inner.Parts -join "`n[... $($LeftOut + $inner.LeftOut) bytes left out ...]`n"
}

# ---- Masking: src/domain/masking has these rules in files and functions of the same names, with their reasons ----

# Only ASCII in this file: Windows PowerShell takes a script without byte order mark for the ANSI code page.
$Mask = '[masked]'
function New-Pattern([string] $Pattern) { return New-Object System.Text.RegularExpressions.Regex $Pattern, ([Text.RegularExpressions.RegexOptions] 'IgnoreCase, CultureInvariant') }
# A pattern that matches only where it is tried.
function New-Sticky([string] $Pattern) { return New-Pattern "\G(?:$Pattern)" }

# What matches here; $null if nothing does.
function Find-At($Pattern, [string] $Text, [int] $At) {
  if ($At -gt $Text.Length) { return $null }
  $found = $Pattern.Match($Text, $At)
  if ($found.Success) { return $found.Value }
  return $null
}
function Read-At($Pattern, [string] $Text, [int] $At) { return [string] (Find-At $Pattern $Text $At) }
function Test-At($Pattern, [string] $Text, [int] $At) { return $At -le $Text.Length -and $Pattern.Match($Text, $At).Success }
function Get-Slice([string] $Text, [int] $From, [int] $To) {
  $From = [Math]::Max(0, $From)
  $To = [Math]::Min($Text.Length, $To)
  if ($To -le $From) { return '' }
  return $Text.Substring($From, $To - $From)
}
function Get-Char([string] $Text, [int] $At) {
  if ($At -lt 0 -or $At -ge $Text.Length) { return '' }
  return [string] $Text[$At]
}
function Test-Starts([string] $Text, [int] $At, [string] $Part) {
  return $At -ge 0 -and $At + $Part.Length -le $Text.Length -and [string]::CompareOrdinal($Text, $At, $Part, 0, $Part.Length) -eq 0
}
function New-Ranges { return , (New-Object System.Collections.Generic.List[int[]]) }
# Ranges found, and where reading ends.
function New-Reading($Ranges, [int] $End) { return @{ Ranges = $Ranges; End = $End } }
function New-OneReading([int] $From, [int] $To, [int] $End = $To) {
  $ranges = New-Ranges
  $ranges.Add([int[]] ($From, $To))
  return New-Reading $ranges $End
}

# ---- Masking: values ----

$LongestList = 2000
$LongestQuoted = 1024
$LongestBare = 2048
$Double = '"' + [char] 0x201C + [char] 0x201D + [char] 0x201E + [char] 0x201F + [char] 0xAB + [char] 0xBB
$Single = "'" + [char] 0x2018 + [char] 0x2019 + [char] 0x201A + [char] 0x201B + [char] 0x2039 + [char] 0x203A
$Dash = '-\u2010-\u2015\u2212\ufe58\ufe63\uff0d'
$BlanksPattern = New-Sticky '[ \t\u00a0\u2000-\u200b\u202f\u3000]*'
$ContinuedPattern = New-Sticky '(?:[ \t\u00a0]*[`^\\]?[ \t]*\r?\n(?:>>[ \t]?|[ \t]{0,8}\+[ \t]|[ \t]{0,8}[0-9]{0,6}[ \t]{0,4}\|[ \t])?)'
$OpeningPattern = New-Sticky ('"{2,3}(?=[\p{L}\p{N}])|\\*"|\\+''|[\x60^]"|&(?:quot|apos|#34|#39|#x22|#x27);|\\+u002[27]|[' + $Double + $Single + ']')
$BarePattern = New-Sticky '(?:&(?!quot;|apos;|#34;|#39;|#x22;|#x27;|lt;|gt;)|[\\`][ \t](?=[\p{L}\p{N}])|[^\s"''\u201c\u201d\u201e&])+(?:["''](?=[^\s"'',;)}\]])[^\s"'']+)*'
$NextOptionPattern = New-Sticky "[$Dash]{1,2}[a-z]|/[a-z]{1,32}[:=]"
$CastPattern = New-Sticky '\[(?!masked\])[a-z][a-z0-9.]*(?:\[\])?\](?=\s*["''(@])'
$ListStartPattern = New-Sticky '@?\(|\$\(|@\{|\[(?=\s*(?:["''0-9]|\[masked\]))'
$ClosingOf = @{ '(' = ')'; '[' = ']'; '{' = '}' }
$KeySignPattern = New-Sticky '[ \t]*(?::|=>?)'
$LineBreakPattern = New-Sticky '\r?\n'
$HereStartPattern = New-Sticky '@(["''])[ \t]*\r?\n'
$InnerCharPattern = New-Pattern '[^\s,;:)}\]|&<>+]'
$LineEndChars = [char[]] "`r`n"

function Skip-Blanks([string] $Text, [int] $At) { return $At + (Read-At $BlanksPattern $Text $At).Length }
function Skip-Space([string] $Text, [int] $At) {
  $here = Skip-Blanks $Text $At
  for ($lines = 0; $lines -lt 3; $lines += 1) {
    $broken = Read-At $ContinuedPattern $Text $here
    if ($broken -eq '') { break }
    $here = Skip-Blanks $Text ($here + $broken.Length)
  }
  return $here
}
function Get-Quote([string] $Text, [int] $At) { return Read-At $OpeningPattern $Text $At }
function Test-Option([string] $Text, [int] $At) { return Test-At $NextOptionPattern $Text $At }
function Test-Double([string] $Quote) { return $Quote.Length -eq 1 -and $Quote -ne '"' -and $Double.Contains($Quote) }
function Test-Single([string] $Quote) { return $Quote.Length -eq 1 -and $Quote -ne "'" -and $Single.Contains($Quote) }
function Get-LineEnd([string] $Text, [int] $At) {
  $limit = [Math]::Min($Text.Length, $At + $LongestQuoted)
  if ($At -ge $limit) { return $limit }
  $end = $Text.IndexOfAny($LineEndChars, $At, $limit - $At)
  if ($end -lt 0) { return $limit }
  return $end
}
function Test-Inner([string] $Text, [int] $At) { return $At -lt $Text.Length -and $InnerCharPattern.IsMatch((Get-Char $Text $At)) }

# The length of the closing mark here that matches the quote; 0 if there is none.
function Get-ClosingLength([string] $Text, [int] $At, [string] $Quote) {
  $char = Get-Char $Text $At
  if ($char -ne '' -and (Test-Double $Quote)) { return [int] $Double.Contains($char) }
  if ($char -ne '' -and (Test-Single $Quote)) { return [int] $Single.Contains($char) }
  if ($Quote -ne '' -and (Test-Starts $Text $At $Quote)) { return $Quote.Length }
  return 0
}

function Find-Closing([string] $Text, [string] $Quote, [int] $From, [int] $To) {
  for ($at = $From; $at -lt $To; $at += 1) {
    $char = $Text[$at]
    if ($Quote -eq '"' -or $Quote -eq "'") {
      if ($char -eq '\' -or ($char -eq '`' -and $Quote -eq '"')) {
        if ((Get-Char $Text ($at + 1)) -eq $Quote -and (Test-Inner $Text ($at + 2))) { $at += 1 }
        elseif ($char -eq '\' -and (Get-Char $Text ($at + 1)) -eq '\') { $at += 1 }
      }
      elseif ($char -eq $Quote) {
        if ((Get-Char $Text ($at + 1)) -ne $Quote) { return @($at, ($at + 1)) }
        if ($at -eq $From -and -not (Test-Inner $Text ($at + 2))) { return @($at, ($at + 1)) }
        $at += 1
      }
    }
    else {
      $length = Get-ClosingLength $Text $at $Quote
      if ($length -gt 0) { return @($at, ($at + $length)) }
    }
  }
  return $null
}

function Read-Here([string] $Text, [int] $At) {
  $opened = Read-At $HereStartPattern $Text $At
  if ($opened -eq '') { return $null }
  $from = $At + $opened.Length
  $within = Get-Slice $Text $from ($from + $LongestQuoted)
  $closed = [regex]::Match($within, '(?m)^' + $opened[1] + '@')
  if ($closed.Success) { return @{ Outer = @($At, ($from + $closed.Index + 2)); Inner = @($from, ($from + $closed.Index)) } }
  return @{ Outer = @($At, ($from + $within.Length)); Inner = @($from, ($from + $within.Length)) }
}

# The quoted text here, and the part within its marks; $null if there is none.
function Read-Quoted([string] $Text, [int] $At) {
  if ((Get-Char $Text $At) -eq '@') {
    $here = Read-Here $Text $At
    if ($null -ne $here) { return $here }
  }
  $quote = Get-Quote $Text $At
  if ($quote -eq '') { return $null }
  $from = $At + $quote.Length
  $end = Get-LineEnd $Text $from
  $closing = Find-Closing $Text $quote $from $end
  if ($null -eq $closing -and $quote -eq '"') { $closing = Find-Closing $Text ([string] [char] 0x201C) $from $end }
  if ($null -eq $closing -and (Test-Double $quote)) { $closing = Find-Closing $Text '"' $from $end }
  if ($null -eq $closing) {
    $next = (Read-At $LineBreakPattern $Text $end).Length
    if ($next -gt 0) {
      $wrapped = Find-Closing $Text $quote ($end + $next) (Get-LineEnd $Text ($end + $next))
      if ($null -ne $wrapped -and -not (Test-Inner $Text $wrapped[1])) { $closing = $wrapped }
    }
  }
  if ($null -eq $closing) { $closing = @($end, $end) }
  return @{ Outer = @($At, $closing[1]); Inner = @($from, $closing[0]) }
}

# The end of the bare value here; -1 if there is none.
function Get-BareEnd([string] $Text, [int] $At) {
  if (Test-Starts $Text $At $Mask) { return $At + $Mask.Length }
  $found = Read-At $BarePattern (Get-Slice $Text $At ($At + $LongestBare)) 0
  if ($found -eq '') { return -1 }
  return $At + $found.Length
}

function Read-Values([string] $Text, [int] $At, [bool] $IsLoose) {
  $here = $At + (Read-At $CastPattern $Text $At).Length
  if ($here -gt $At) { $here = Skip-Blanks $Text $here }
  $list = Read-At $ListStartPattern $Text $here
  if ($list -ne '') { return Read-List $Text $here ($here + $list.Length) $ClosingOf[[string] $list[-1]] }
  $first = Read-One $Text $here $IsLoose
  if ($null -eq $first) { return $null }
  return Read-Further $Text $first
}

function Read-One([string] $Text, [int] $At, [bool] $IsLoose) {
  $quoted = Read-Quoted $Text $At
  if ($null -ne $quoted) { return New-OneReading $quoted.Outer[0] $quoted.Outer[1] }
  if (-not $IsLoose) { return $null }
  $end = Get-BareEnd $Text $At
  if ($end -lt 0) { return $null }
  $to = $end
  if ((Get-Char $Text ($end - 1)) -eq ',' -and $end - $At -gt 1) { $to = $end - 1 }
  return New-OneReading $At $to $end
}

function Read-Further([string] $Text, [hashtable] $First) {
  $ranges = $First.Ranges
  $end = $First.End
  $limit = $end + $LongestList
  for (; ; ) {
    $endsInComma = (Get-Char $Text ($end - 1)) -eq ','
    $next = Skip-Blanks $Text $end
    if (-not $endsInComma) {
      if (',', '+' -notcontains (Get-Char $Text $next)) { break }
      $next += 1
    }
    $next = Skip-Space $Text $next
    if ($next -gt $limit -or (Test-Option $Text $next)) { break }
    $one = Read-One $Text $next $endsInComma
    if ($null -eq $one -or (Test-At $KeySignPattern $Text $one.End)) { break }
    $ranges.AddRange($one.Ranges)
    $end = $one.End
  }
  return New-Reading $ranges $end
}

$ListWordPattern = New-Sticky '[^\s,;()[\]{}"''\u201c\u201d]+'
$ListWordEndsPattern = New-Sticky '[ \t]*[,)\]\r\n]'
function Read-List([string] $Text, [int] $Opened, [int] $From, [string] $Closing) {
  $ranges = New-Ranges
  $limit = [Math]::Min($Text.Length, $Opened + $LongestList)
  $at = $From
  $depth = 1
  $isItem = $true
  while ($at -lt $limit) {
    $char = [string] $Text[$at]
    if (Test-Starts $Text $at $Mask) {
      $ranges.Add([int[]] ($at, ($at + $Mask.Length)))
      $at += $Mask.Length
      continue
    }
    if ((Test-Option $Text $at) -and (Get-Slice $Text ([Math]::Max($From, $at - 32)) $at) -match '[\r\n][ \t]*\z') { break }
    $quoted = Read-Quoted $Text $at
    if ($null -ne $quoted) {
      $ranges.Add([int[]] ($quoted.Outer[0], $quoted.Outer[1]))
      $at = $quoted.Outer[1]
      $isItem = $false
    }
    elseif ($char -eq $Closing) {
      $at += 1
      $depth -= 1
      if ($depth -eq 0) { break }
    }
    elseif ('(', '[', '{' -contains $char) {
      if ($ClosingOf[$char] -eq $Closing) { $depth += 1 }
      $at += 1
    }
    elseif ($char -match '[\s,;@$]') {
      if ($char -match '[,;\n]') { $isItem = $true }
      $at += 1
    }
    else {
      $word = Read-At $ListWordPattern $Text $at
      $end = $at + [Math]::Max(1, $word.Length)
      if ($isItem -and $word -ne '' -and (Test-At $ListWordEndsPattern $Text $end)) { $ranges.Add([int[]] ($at, $end)) }
      $isItem = $false
      $at = $end
    }
  }
  return New-Reading $ranges $at
}

# ---- Masking: made-up words, repeated and encoded passwords ----

$OrdinaryPattern = New-Pattern '\A(?:[^\p{L}]*|0x[0-9a-f]+|v?[0-9]+(?:[.:/\\-]\w{1,4})+|[0-9]+(?:st|nd|rd|th|[smhdx%]|ms|min|sec|bit|bytes?|chars?|[kmg]i?b)?|e[0-9]{3,}|kb[0-9]{6,7}|(?:utf|sha|md|aes|rsa|pkcs|base|win|x|crypt|ecc|ntlmv?|tls|tpm|hmac|des|fips|os|dpapi)[-_#]?[0-9]{1,4}\w{0,3}|[\w.~-]+\.(?:bin|exe|txt|ini|xml|json|ya?ml|log|csv|ps[md]?1|vbs|hta|cmd|bat|sh|cab|cer|pem|pfx|dll|cs|js|ts|py|cpp|cctk)(?::[0-9]+)*|[a-z][a-z+.-]{1,12}://.*|[a-z]:[\\/].*|[./~]{0,2}[\\/].*|\\\\.*|[$%@!{<[].*|--?.*|[\w.-]{1,32}=.*|\*+|[\w.-]+\(.*|[\p{L}]+(?:[''\u2019/_&+-][\p{L}]+){0,5}[!?]*)\z'
$LetterAndDigitPattern = New-Pattern '(?=.*\p{L})(?=.*[0-9])'
$MarkCharPattern = New-Pattern '[!#$%^&*+?~@=]'
function Test-MadeUp([string] $Word) {
  if ($Word.Length -lt 4 -or $Word.Length -gt 128) { return $false }
  if ($Word -match '\A[0-9]{6,12}\z') { return $true }
  return ($LetterAndDigitPattern.IsMatch($Word) -or $MarkCharPattern.IsMatch($Word)) -and -not $OrdinaryPattern.IsMatch($Word)
}

$OuterQuotesPattern = New-Pattern '\A[\\`^]*["''\u201c\u201d\u201e\u2018\u2019]+|[\\`^]*["''\u201c\u201d\u201e\u2018\u2019;]+\z'
function Find-Repeated([string] $Text, $Found) {
  $passwords = New-Object System.Collections.Generic.List[string]
  foreach ($range in $Found) {
    $length = $range[1] - $range[0]
    if ($length -lt 6 -or $length -gt 130) { continue }
    $password = $OuterQuotesPattern.Replace($Text.Substring($range[0], $length), '')
    if ($password.Length -ge 6 -and -not $passwords.Contains($password) -and (Test-MadeUp $password)) { $passwords.Add($password) }
    if ($passwords.Count -eq 32) { break }
  }
  $ranges = New-Ranges
  foreach ($password in $passwords) {
    for ($at = $Text.IndexOf($password, [StringComparison]::Ordinal); $at -ge 0; $at = $Text.IndexOf($password, $at + $password.Length, [StringComparison]::Ordinal)) {
      $isPart = ((Get-Char $Text ($at - 1)) + (Get-Char $Text ($at + $password.Length))) -match '[\p{L}\p{N}]'
      if (-not $isPart) { $ranges.Add([int[]] ($at, ($at + $password.Length))) }
    }
  }
  return , $ranges
}

$Base64TokenPattern = New-Pattern '(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]{16,}){0,4096}(?:\r?\n[A-Za-z0-9+/]{1,15})?={0,2}'
$PrintedPattern = New-Pattern '\A[\t\n\r\u0020-\u007e\u00a0-\ufffc]*\z'
function Find-Encoded([string] $Text) {
  $ranges = New-Ranges
  foreach ($token in $Base64TokenPattern.Matches($Text)) {
    $parts = @($token.Value, ($token.Value -split "\r?\n")[0]) | Select-Object -Unique
    foreach ($part in $parts) {
      if (-not (Test-EncodedSecret $part)) { continue }
      $ranges.Add([int[]] ($token.Index, ($token.Index + $part.Length)))
      break
    }
  }
  return , $ranges
}
function Test-EncodedSecret([string] $Token) {
  $plain = [regex]::Replace($Token, '[^A-Za-z0-9+/]', '')
  if ($plain.Length % 4 -eq 1) { $plain = $plain.Substring(0, $plain.Length - 1) }
  $bytes = [Convert]::FromBase64String($plain.PadRight($plain.Length + (4 - $plain.Length % 4) % 4, '='))
  foreach ($decoded in [Text.Encoding]::Unicode.GetString($bytes, 0, $bytes.Length - $bytes.Length % 2), $Utf8.GetString($bytes)) {
    if (-not $PrintedPattern.IsMatch($decoded)) { continue }
    foreach ($range in (Find-InViews $decoded)) { if ($range[1] -gt $range[0]) { return $true } }
  }
  return $false
}

# ---- Masking: views, with escapes decoded, invisible characters left out, and wrapped lines joined ----

$SequencePattern = '(?:\u001b\[|\u009b)[0-?]{0,32}[ -/]{0,4}[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c\r\n]{0,256}(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]{0,2}[0-~]?'
$UnseenPattern = '[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]'
$InvisiblePattern = New-Object regex "$SequencePattern|$UnseenPattern"
$SpacingPattern = New-Object regex "$SequencePattern|$UnseenPattern|[\u000b\u000c\u0085\u2028\u2029]|\r(?!\n)"
$EscapePattern = New-Pattern '_x000D__x000A_</S>\s{0,8}<S S="\w{1,16}">|_x([0-9a-f]{4})_|\\{1,8}u([0-9a-f]{4})|\\{1,8}x([0-9a-f]{2})|%([2-7][0-9a-f])|&#([0-9]{2,4});|&#x([0-9a-f]{2,4});|&(quot|apos|lt|gt|amp|equals|colon|nbsp);|[`^](?=[a-z0-9=:_-])'
$EntitiesPattern = @{ quot = '"'; apos = "'"; lt = '<'; gt = '>'; amp = '&'; equals = '='; colon = ':'; nbsp = ' ' }
$OddPattern = New-Object regex "[\u001b\u009b]|$UnseenPattern|[\u000b\u000c\u0085\u2028\u2029%&\\\x60^]|_[xX]|\r(?!\n)"

function ConvertFrom-Escape($Found) {
  if ($Found.Groups[7].Success) { return $EntitiesPattern[$Found.Groups[7].Value] }
  if ($Found.Groups[5].Success) { return [string] [char] [int] $Found.Groups[5].Value }
  foreach ($group in 1, 2, 3, 4, 6) {
    if ($Found.Groups[$group].Success) { return [string] [char] [Convert]::ToInt32($Found.Groups[$group].Value, 16) }
  }
  if ($Found.Value.StartsWith('_x')) { return "`n" }
  return ''
}
function ConvertTo-Blank($Found) {
  if ($Found.Value -match '\A[\r\u0085\u2028\u2029]') { return "`n" }
  return ' '
}

# A view of a text or of another view: segments that say which part of it stands where.
function New-View([string] $Text, $Of, $Cuts) {
  $view = @{ Of = $Of; At = (New-Object System.Collections.Generic.List[int]); From = (New-Object System.Collections.Generic.List[int]); To = (New-Object System.Collections.Generic.List[int]); Text = '' }
  $parts = New-Object System.Text.StringBuilder
  $done = 0
  foreach ($cut in $Cuts) {
    if ($cut[0] -gt $done) {
      $view.At.Add($parts.Length); $view.From.Add($done); $view.To.Add(-1)
      [void] $parts.Append($Text, $done, $cut[0] - $done)
    }
    $done = $cut[1]
    if ($cut[2] -eq '') { continue }
    $view.At.Add($parts.Length); $view.From.Add($cut[0]); $view.To.Add($cut[1])
    [void] $parts.Append([string] $cut[2])
  }
  $view.At.Add($parts.Length); $view.From.Add($done); $view.To.Add(-1)
  [void] $parts.Append($Text, $done, $Text.Length - $done)
  $view.Text = $parts.ToString()
  return $view
}
# Where a character of a view begins, or ends, in the original text.
function Get-Original([hashtable] $View, [int] $At, [bool] $IsEnd) {
  $index = $View.At.BinarySearch($At)
  if ($index -lt 0) { $index = -$index - 2 }
  else { while ($index + 1 -lt $View.At.Count -and $View.At[$index + 1] -eq $At) { $index += 1 } }
  $position = $View.From[$index] + $At - $View.At[$index]
  if ($View.To[$index] -ge 0) {
    $position = $View.From[$index]
    if ($IsEnd) { $position = $View.To[$index] - 1 }
  }
  if ($null -ne $View.Of) { return Get-Original $View.Of $position $IsEnd }
  return $position + [int] $IsEnd
}
function New-ReplacedView([string] $Text, $Of, $Pattern, [scriptblock] $Replace) {
  $cuts = New-Object System.Collections.Generic.List[object]
  foreach ($found in $Pattern.Matches($Text)) { $cuts.Add(@($found.Index, ($found.Index + $found.Length), (& $Replace $found))) }
  if ($cuts.Count -eq 0) { return $null }
  return New-View $Text $Of $cuts
}
function New-JoinedView([string] $Text, $Of) {
  $cuts = New-Object System.Collections.Generic.List[object]
  $begun = 0
  for ($at = $Text.IndexOf("`n"); $at -ge 0; $at = $Text.IndexOf("`n", $begun)) {
    $end = $at
    if ((Get-Char $Text ($at - 1)) -eq "`r") { $end = $at - 1 }
    if (79, 80, 119, 120 -contains $end - $begun -and (Get-Char $Text ($end - 1)) -match '\S' -and (Get-Char $Text ($at + 1)) -match '\S') { $cuts.Add(@($end, ($at + 1), '')) }
    $begun = $at + 1
    if ($begun -ge $Text.Length) { break }
  }
  if ($cuts.Count -eq 0) { return $null }
  return New-View $Text $Of $cuts
}
function Get-Views([string] $Text) {
  if (-not $OddPattern.IsMatch($Text)) { return @(New-JoinedView $Text $null) }
  $plain = New-ReplacedView $Text $null $InvisiblePattern { '' }
  $spaced = New-ReplacedView $Text $null $SpacingPattern { param($found) ConvertTo-Blank $found }
  $base = $plain
  $baseText = $Text
  if ($null -ne $plain) { $baseText = $plain.Text }
  $decoded = New-ReplacedView $baseText $base $EscapePattern { param($found) ConvertFrom-Escape $found }
  if ($null -ne $decoded) { $base = $decoded; $baseText = $decoded.Text }
  return @($plain, $spaced, $decoded, (New-JoinedView $baseText $base))
}
# The ranges of secrets in the text and in all its views, as ranges of the text.
function Find-InViews([string] $Text) {
  $ranges = Find-Secrets $Text
  foreach ($view in (Get-Views $Text)) {
    if ($null -eq $view) { continue }
    foreach ($range in (Find-Secrets $view.Text)) {
      if ($range[1] -gt $range[0]) { $ranges.Add([int[]] ((Get-Original $view $range[0] $false), (Get-Original $view ($range[1] - 1) $true))) }
    }
  }
  return , $ranges
}

# ---- Masking: passwords after their names ----

$NameWord = 'pass[_-]?w[o0]rds?|passwd|pass[_-]?phrases?|passcodes?|passkeys?|passw[o\u00f6]rter|passwort|kennwort|pwds?|pswd?|(?<!by|com|sur|tres|under|over)pass|secrets?|authorizationtoken|encryptionkey|sechandle|(?:(?<![\p{L}\p{N}])|(?<=bios|uefi|admin|setup|user|system|sys|hdd|supervisor|master|owner|old|new|current|[_-]))pw'
$NameSuffix = '(?:[._-]?(?:old|new|current|previous|plain|text|plaintext|clear|secure|string|value|admin|setup|system|sys|hdd|bios|uefi|owner|user|master|list|array|candidates?|bytes|input|to[_-]?set|for[_-]?[a-z]{1,12}|str|enc|param|arg|entry|field|confirm(?:ation)?|again|repeat|retype|[0-9]{1,3}))*'
$NameIndex = '(?:\[[0-9]{1,3}\]|[ \t]?#[0-9]{1,3}(?=[ \t]*[:=(])|(?<!\bpass)[ \t][0-9]{1,2}(?=[ \t]*[:=(]))?'
$NamePattern = New-Pattern "(?:$NameWord)$NameSuffix$NameIndex(?![\p{L}\p{N}_])(?!-\p{L})"
$ShortPattern = New-Pattern '(?:(?<=[$-])|(?<=[$-][a-z]{0,24}))pw(?![\p{L}\p{N}_])'
$StatePattern = New-Sticky '(?:not?|none|null|nil|true|false|yes|on|off|set|unset|notset|is|was|are|were|has|had|have|must|should|can|cannot|could|may|will|would|did|does|do|and|or|for|to|in|of|with|the|a|an|at|by|if|when|enabled?|disabled?|installed|present|absent|missing|empty|blank|required|changed?|cleared|unchanged|protected|invalid|valid|incorrect|correct|wrong|accepted|rejected|refused|failed|failure|fail|error|success|successful|successfully|succeeded|completed?|done|ok|unknown|n/a|skipped|verified|matche[sd]|match|mismatch|mismatched|supported|unsupported|optional|default|hidden|shown|expired|active|inactive|locked|unlocked|frozen|configured|pending|took|takes|finished|started|running|cannot|returned|returns|threw|exited|exit|ended|already|policy|check|checked|prompt|please|provided|supplied|given|found|ja|nein|nicht|gesetzt|aktiviert|deaktiviert|oui|non|si|s\u00ed)(?=[.,;:)"''\u201d\u2019\]}]*(?:\s|\z))'
$PunctuationPattern = New-Pattern '\A(?:[|;,:=)\]}>&\u2013\u2014~-]+(?:\s|\z)|[;,)\]}]|\.{2,}(?:\s|\z))'
$VerbPattern = New-Pattern '(?:\A|[.:_-])(?:set|clear|reset|change|new|update|remove|unlock|enter|verify|check|test|assert|save|add)[\w.-]*\z'
$JoinPattern = New-Sticky '[ \t]*[+&.][ \t]*'
$FormatPattern = New-Sticky "[^`"'\u201c\u201d\r\n]{1,200}[`"'\u201c\u201d]\)?[ \t]*(?:[$Dash]f|%|,|\.format)[ \t]*\(?"
$NextAssignedPattern = New-Pattern "\A(?:[$Dash]{1,2}|/)[a-z]{2,32}(?:[=:\s]|\z)"
$IndexedPattern = New-Pattern '\A\](?:\.\w{1,16})?(?=[ \t]*=)'
$MemberSignPattern = New-Sticky '(?:=>|[:=,])'
$ValueMemberPattern = New-Sticky ('\\*["'']?[)\]]?[ \t]*[,;]?\s*(?:(?:[' + $Dash + '/](?:t|type|propertytype|scope)[ \t]+\w{1,24}|["'']?(?:type|datatype|kind|xsi:type)["'']?[ \t]*[:=][ \t]*["''][\w:.-]{1,32}["''])[ \t]*,?\s*){0,2}(?:/d[ \t]+|[' + $Dash + ']?\\*["'']?(?:new)?-?(?:value|val|data|newvalue|currentvalue|attributevalue)\\*["'']?(?:[ \t]*[=:]|(?=[ \t]))\s*)')
$TagPattern = New-Sticky '(?:[^<>\r\n]{0,200}?)(?:>|&gt;)'
$ElementValuePattern = New-Sticky '(?:[^<&\r\n]+|&(?!lt;)[^<&\r\n]*)+'
$RestPattern = New-Sticky '(?:(?!\s*(?:\z|[\r\n])|\s[&|;]|\s[\w.-]{1,40}=)[^\r\n]){1,512}'
$InnerNameCharPattern = New-Pattern '[\p{L}\p{N}_.]'
$SignCharPattern = New-Pattern "[$Dash]"

function Test-State([string] $Text, [int] $At) { return Test-At $StatePattern $Text $At }
function Test-Punctuation([string] $Text, [int] $At) { return $PunctuationPattern.IsMatch((Get-Slice $Text $At ($At + 8))) }

function Find-NamedSecrets([string] $Text) {
  $ranges = New-Ranges
  foreach ($pattern in $NamePattern, $ShortPattern) {
    $readTo = 0
    foreach ($word in $pattern.Matches($Text)) {
      if ($word.Index -lt $readTo) { continue }
      $reading = Read-Site $Text (New-Site $Text $word.Index ($word.Index + $word.Length))
      if ($null -eq $reading) { continue }
      $ranges.AddRange($reading.Ranges)
      $readTo = $reading.End
    }
  }
  return , $ranges
}

# A name, where it is, and in which form: after a dash, a slash, in a path, as a variable or element, or bare.
function New-Site([string] $Text, [int] $WordAt, [int] $End) {
  $start = $WordAt
  $first = [Math]::Max(0, $WordAt - 64)
  while ($start -gt $first) {
    $char = Get-Char $Text ($start - 1)
    if ($InnerNameCharPattern.IsMatch($char) -or ($SignCharPattern.IsMatch($char) -and (Get-Char $Text ($start - 2)) -match '[\p{L}\p{N}_]')) { $start -= 1 } else { break }
  }
  $site = @{ Name = (Get-Slice $Text $start $End).ToLowerInvariant(); Start = $start; End = $End; Form = 'bare'; Quote = '' }
  $before = Get-Char $Text ($start - 1)
  $second = Get-Char $Text ($start - 2)
  if ($before -ne '' -and $SignCharPattern.IsMatch($before)) {
    $site.Form = 'dash'
    $dashAt = $start - 1
    if ($second -ne '' -and $SignCharPattern.IsMatch($second)) { $dashAt = $start - 2 }
    $site.Quote = Get-QuoteBefore $Text $dashAt
  }
  elseif ($before -eq '/' -and $second -notmatch '[\p{L}\p{N}_/.:<]') {
    $site.Form = 'slash'
    $site.Quote = Get-QuoteBefore $Text ($start - 1)
  }
  elseif ($before -eq '\' -or $before -eq '/' -or (Get-Slice $Text ($start - 4) $start) -eq 'env:') { $site.Form = 'path' }
  elseif ($before -eq '<' -or (Get-Slice $Text ($start - 35) $start) -match '</?[\w.-]{1,32}:\z' -or (Get-Slice $Text ($start - 4) $start) -eq '&lt;') { $site.Form = 'element' }
  elseif ('$', '%', ':' -contains $before) { $site.Form = 'variable' }
  else { $site.Quote = Get-QuoteBefore $Text $start }
  return $site
}

function Get-QuoteBefore([string] $Text, [int] $At) {
  foreach ($length in 6, 5, 4, 3, 2, 1) {
    if ($At -lt $length) { continue }
    $quote = Get-Quote $Text ($At - $length)
    if ($quote.Length -eq $length) { return $quote }
  }
  return ''
}

function Test-Target([string] $Text, [hashtable] $Site) {
  return (Get-Slice $Text ($Site.Start - 64) $Site.Start) -match '(?:\bsetx|\b(?:set|new)-item|\bsi|-path)[ \t]+[^\s|;]{0,40}\z'
}

# Only prose numbers its passwords; after an option, a path or a setting's name the number begins the value.
function Remove-Number([string] $Text, [hashtable] $Site) {
  $isNumbered = $Site.Form -eq 'variable' -or ($Site.Form -eq 'bare' -and -not (Test-Target $Text $Site))
  if ($isNumbered -or (Get-Char $Text $Site.End) -notmatch '[:=(]') { return }
  if ((Get-Slice $Text $Site.Start $Site.End) -match '[ \t][0-9]{1,2}\z') {
    $Site.Name = $Site.Name.Substring(0, $Site.Name.Length - $Matches[0].Length)
    $Site.End -= $Matches[0].Length
  }
}

function Read-Site([string] $Text, [hashtable] $Site) {
  Remove-Number $Text $Site
  if ((Get-Slice $Text ($Site.Start - 24) $Site.Start) -match 'Exception (?:setting|getting|calling) ["''\u201c]?\z') { return $null }
  if ($Site.Form -eq 'dash' -or $Site.Form -eq 'slash') {
    $reading = Read-Option $Text $Site
    if ($null -eq $reading) { $reading = Read-NamedValue $Text $Site.End }
    return $reading
  }
  if ($Site.Form -eq 'element') {
    $reading = Read-Element $Text $Site.End
    if ($null -eq $reading) { $reading = Read-Markup $Text $Site }
    return $reading
  }
  if ($VerbPattern.IsMatch($Site.Name)) {
    $reading = Read-Call $Text $Site.Name $Site.End
    if ($null -ne $reading) { return $reading }
  }
  $reading = Read-QuotedName $Text $Site
  if ($null -eq $reading -and (($Site.Form -eq 'path' -and $Site.Name -ne 'password') -or (Test-Target $Text $Site))) { $reading = Read-Target $Text $Site.End }
  if ($null -eq $reading) { $reading = Read-Assigned $Text $Site }
  if ($null -eq $reading) { $reading = Read-NamedValue $Text $Site.End }
  if ($null -eq $reading) { $reading = Read-ValueBefore $Text $Site }
  if ($null -eq $reading) { $reading = Read-Markup $Text $Site }
  if ($null -eq $reading) { $reading = Read-Complaint $Text $Site }
  if ($null -eq $reading) { $reading = Read-Sentence $Text $Site }
  return $reading
}

function Read-Option([string] $Text, [hashtable] $Site) {
  $end = $Site.End
  $closed = Get-ClosingLength $Text $end $Site.Quote
  if ($closed -gt 0) {
    $reading = Read-Argument $Text ($end + $closed)
    if ($null -eq $reading) { $reading = Read-Joined $Text $end $Site.Quote }
    return $reading
  }
  $signAt = Skip-Blanks $Text $end
  if ('=', ':' -contains (Get-Char $Text $signAt)) { return Read-BehindSign $Text $Site ($signAt + 1) }
  if ((Get-Quote $Text $end) -ne '') { return Read-Values $Text $end $false }
  $valueAt = Skip-Space $Text $end
  if ($valueAt -eq $end -or $valueAt -ge $Text.Length -or (Test-Option $Text $valueAt)) { return $null }
  if (Test-Punctuation $Text $valueAt) { return $null }
  if ($Site.Form -eq 'slash' -and $Site.Name -notmatch 'passw|passphrase|passcode') { return Read-Values $Text $valueAt ((Get-WordEnd $Text $valueAt) -ge 0) }
  if (Test-State $Text $valueAt) { return $null }
  return Read-Values $Text $valueAt $true
}

function Read-BehindSign([string] $Text, [hashtable] $Site, [int] $Behind) {
  $valueAt = Skip-Space $Text $Behind
  if ($valueAt -ge $Text.Length) { return $null }
  $joined = Read-Joined $Text $Behind $Site.Quote
  if ($null -ne $joined) { return $joined }
  if ($valueAt -gt $Behind -and (Test-Option $Text $valueAt)) { return $null }
  if ($Site.Quote -ne '' -and (Get-Quote $Text $valueAt) -eq '') {
    $closing = Find-QuotedEnd $Text $valueAt $Site.Quote
    if ($closing -gt $valueAt) { return New-OneReading $valueAt $closing }
    if ($closing -ge 0) { return New-Reading (New-Ranges) $closing }
  }
  return Read-Values $Text $valueAt $true
}

function Read-Joined([string] $Text, [int] $At, [string] $Quote) {
  $closing = 0
  if ($Quote -ne '') { $closing = Get-ClosingLength $Text $At $Quote }
  if ($closing -gt 0) { $from = $At + $closing; $found = Find-At $JoinPattern $Text $from }
  elseif ((Get-Slice $Text $At ($At + 2)) -match '\A["'']?[{%]') { $from = $At; $found = Find-At $FormatPattern $Text $from }
  else { return $null }
  if ($null -eq $found) { return $null }
  $to = $from + $found.Length
  return Read-Values $Text $to (Test-Starts $Text $to $Mask)
}

function Find-QuotedEnd([string] $Text, [int] $At, [string] $Quote) {
  $limit = [Math]::Min($Text.Length, $At + 512)
  for ($here = $At; $here -lt $limit; $here += 1) {
    $char = [string] $Text[$here]
    if ($char -eq "`n" -or $char -eq "`r") { return -1 }
    if ((Get-ClosingLength $Text $here $Quote) -gt 0) { return $here }
    if ([char]::IsWhiteSpace($char, 0) -and $NextAssignedPattern.IsMatch((Get-Slice $Text ($here + 1) ($here + 40)))) { return $here }
  }
  return -1
}

function Read-Argument([string] $Text, [int] $At) {
  $here = Skip-Space $Text $At
  if (',', '=', ':' -contains (Get-Char $Text $here)) { $here = Skip-Space $Text ($here + 1) }
  $quoted = Read-Quoted $Text $here
  if ($null -eq $quoted) { return $null }
  return New-OneReading $quoted.Outer[0] $quoted.Outer[1]
}

function Read-QuotedName([string] $Text, [hashtable] $Site) {
  $closing = Get-Quote $Text $Site.End
  if ($closing -eq '' -or -not (Test-BehindQuote $Text $Site $closing)) { return $null }
  $after = $Site.End + $closing.Length
  $here = Skip-Space $Text ($after + $IndexedPattern.Match((Get-Slice $Text $after ($after + 24))).Length)
  $sign = Read-At $MemberSignPattern $Text $here
  if ($sign -eq '') { return $null }
  $here = Skip-Space $Text ($here + $sign.Length)
  $isMember = $sign -ne ','
  if ((Get-Slice $Text $here ($here + 8)) -match '\A(?:\[\s*\]|\{\s*\})') { return $null }
  $reading = Read-Values $Text $here $isMember
  if ($null -eq $reading -or $reading.Ranges.Count -eq 0) { return $null }
  if (-not $isMember -and (Get-Slice $Text $reading.End ($reading.End + 16)) -match '\A[ \t]*[:=]') { return $null }
  if ($isMember -and (Get-Slice $Text $here ($here + 2)) -notmatch '[@([]') {
    $only = $reading.Ranges[0]
    if ((Get-Slice $Text $only[0] $only[1]) -cmatch '\A(?:null|true|false)\b') { return $null }
    return New-OneReading $only[0] $only[1]
  }
  return $reading
}

function Test-BehindQuote([string] $Text, [hashtable] $Site, [string] $Closing) {
  if ((Get-QuoteBefore $Text $Site.Start) -ne '') { return $true }
  $before = Get-Slice $Text ($Site.Start - 40) $Site.Start
  $opened = $before.LastIndexOf($Closing, [StringComparison]::Ordinal)
  return $opened -ge 0 -and $before.Substring($opened + $Closing.Length) -match '\A[\p{L}\p{N} _.\\:-]*\z'
}

function Read-Assigned([string] $Text, [hashtable] $Site) {
  $end = $Site.End
  $signAt = $end
  if ('}', '%' -contains (Get-Char $Text $end)) { $signAt += 1 }
  $signAt = Skip-Blanks $Text $signAt
  $sign = Get-Char $Text $signAt
  if ($sign -ne '=' -and $sign -ne ':') { return $null }
  $isBare = $Site.Form -eq 'bare'
  if ($Site.Name -match '(?:\A|[^a-z_])pass\z' -and $isBare -and $Site.Quote -eq '' -and (Get-Quote $Text ($end + 1)) -eq '') { return $null }
  if ($isBare -and $Site.Quote -ne '' -and $sign -eq '=') { return Read-BehindSign $Text $Site ($signAt + 1) }
  if ('=', ':' -contains (Get-Char $Text ($signAt + 1))) { return $null }
  if ((Get-ClosingLength $Text ($signAt + 1) $Site.Quote) -gt 0) { return Read-Joined $Text ($signAt + 1) $Site.Quote }
  $valueAt = Skip-Blanks $Text ($signAt + 1)
  $valueAt += (Read-At $YamlTagPattern $Text $valueAt).Length
  $below = Read-Below $Text $end $valueAt
  if ($null -ne $below) { return $below }
  if (Test-BareList $Text $valueAt) { return Read-BareList $Text $valueAt }
  if ($Site.Name -match '\A(?:old)?pwd\z' -and (Get-Slice $Text $valueAt ($valueAt + 256)) -match '\A(?:/|[a-z]:\\)(?:[\w.-]+[\\/]?)*[ \t]*(?:[\r\n]|\z)') { return $null }
  $values = Read-Values $Text $valueAt $false
  if ($null -ne $values -and $values.Ranges.Count -gt 0) { return $values }
  if ($valueAt -ge $Text.Length -or (Test-State $Text $valueAt) -or (Get-Char $Text $valueAt) -match '[\s*<([{]') { return $null }
  $bareEnd = Get-BareEnd $Text $valueAt
  if ($bareEnd -lt 0) { return $null }
  $word = Get-Slice $Text $valueAt $bareEnd
  $isTight = $sign -eq '=' -and $valueAt -eq $end + 1
  if (-not $isTight -and $word -match '\A(?:[-\u2013\u2014.?]+|[0-9]{1,2})\z') { return $null }
  $isFirst = (Get-Slice $Text ($Site.Start - 40) $Site.Start) -match '(?:\A|[\r\n;{,(])[ \t$#+-]*(?:(?:set|export|let|var)[ \t]+)?"?\z'
  $endsSoon = (Get-Slice $Text $bareEnd ($bareEnd + 66)) -match '\A[^\r\n]{0,64}(?:[\r\n]|\z)'
  if (($isFirst -and (Test-MadeUp $word) -and $endsSoon) -or ($isFirst -and $sign -eq '=' -and $isBare)) {
    return New-OneReading $valueAt ($valueAt + (Read-At $RestPattern $Text $valueAt).Length)
  }
  $endsLine = (Get-Slice $Text $bareEnd ($bareEnd + 64)) -match '\A[ \t]*(?:[\r\n;}]|\z)'
  if ($isTight -or ($isFirst -and $endsLine)) { return New-OneReading $valueAt $bareEnd }
  return $null
}

function Read-Target([string] $Text, [int] $End) {
  $from = $End + (Get-Quote $Text $End).Length
  $valueAt = Skip-Space $Text $from
  if ($valueAt -eq $from -or $valueAt -ge $Text.Length -or (Test-Option $Text $valueAt)) { return $null }
  if ((Test-State $Text $valueAt) -or (Test-Punctuation $Text $valueAt)) { return $null }
  return Read-Values $Text $valueAt $true
}

function Read-NamedValue([string] $Text, [int] $End) {
  $found = Find-At $ValueMemberPattern $Text $End
  if ($null -eq $found) { return $null }
  $at = $End + $found.Length
  if ((Test-Option $Text $at) -or (Get-Char $Text $at) -eq '<') { return $null }
  return Read-Values $Text $at $true
}

function Read-Element([string] $Text, [int] $End) {
  $tag = Find-At $TagPattern $Text $End
  if ($null -eq $tag -or $tag -match '/(?:>|&gt;)\z') { return Read-NamedValue $Text $End }
  $from = $End + $tag.Length
  $value = Read-At $ElementValuePattern $Text $from
  if ($value.Trim() -eq '') { return $null }
  return New-OneReading $from ($from + $value.Length)
}

function Read-Call([string] $Text, [string] $Name, [int] $End) {
  if ((Get-Char $Text $End) -eq '(') {
    if ($Name -match 'setnewpassword\z|setbiospassword\z') { return $null }
    return Read-Values $Text $End $true
  }
  if (-not $Name.Contains('-')) { return $null }
  $ranges = New-Ranges
  $here = $End
  while ($ranges.Count -lt 3) {
    $at = Skip-Space $Text $here
    if ($at -eq $here -or (Test-Option $Text $at) -or (Test-State $Text $at) -or (Test-Punctuation $Text $at)) { break }
    $reading = Read-Values $Text $at $true
    if ($null -eq $reading) { break }
    $ranges.AddRange($reading.Ranges)
    $here = $reading.End
  }
  if ($ranges.Count -eq 0) { return $null }
  return New-Reading $ranges $here
}

# ---- Masking: passwords in sentences, lists and markup ----

$IsPasswordPattern = New-Pattern 'pass[_-]?w|passphrase|passcode|passkey|kennwort|pwd|psw|pw\z'
$ClosedPattern = New-Sticky '["''\u2019\u201d\]})%]{0,3}'
$SentenceSignPattern = New-Sticky ('[ \t]*(?:=>|[' + $Dash + ']+>|\u2192|:=|={1,3}|!=|:|,(?=[ \t]*["''\p{L}\p{N}])|[ \t][' + $Dash + '][ci]?(?:eq|ne|like|match)\b)[ \t]*')
$WordsPattern = New-Sticky '(?:[ \t]+(?:is|was|to|from|with|of|as|value|now|in|and|then|REG_\w{2,12}))*[ \t]+'
$AndPattern = New-Sticky '(?:[ \t]*,)?(?:[ \t]+(?:to|and|or|then|into|by))?[ \t]*'
$StatedPattern = New-Pattern '\A.?(?:not?|none|null|true|false|yes|on|off|is|un)?[ _-]?(?:set|installed|enabled|disabled|present|required|supported|configured|success(?:ful)?|failed|empty|blank|unknown|valid|invalid|)["''\u2019\u201d]?\z'
$YamlTagPattern = New-Sticky '!{1,2}\w{0,16}[ \t]+'
$BlockPattern = New-Sticky '[|>][+-]?[0-9]?[ \t]*\r?\n'
$BlockLinesPattern = New-Sticky '(?:[ \t]+[^\r\n]{1,512}(?:\r?\n(?=[ \t])|)){1,8}'
$ItemPattern = New-Sticky '\r?\n[ \t]*-[ \t]+'
$BareListPattern = New-Sticky '[([{<][^()[\]{}<>\r\n]{0,512}'
$BeforePattern = New-Pattern '["'']?\b(?:value|val|data|newvalue)["'']?[ \t]*[:=][ \t]*("[^"\r\n]{1,256}"|''[^''\r\n]{1,256}'')[ \t]*,?\s{0,16}["'']?(?:name|key|id)["'']?[ \t]*[:=][ \t]*["''][\w .-]*\z'
$MarkupPattern = New-Sticky '[^<>\r\n]{0,200}>(?:\s{0,64}<(?!/[^>]{1,64}>\s{0,64}</)[^<>!]{1,100}>){0,3}\s{0,64}(?:<!\[CDATA\[)?'
$EndedPattern = New-Sticky '</[\w:.-]{1,64}>(?:\s{0,64}<[^<>/!][^<>!]{0,100}>){1,2}\s{0,64}(?:<!\[CDATA\[)?'
$MarkupValuePattern = New-Sticky '[^<\r\n\]]{1,512}'
$ComplaintPattern = New-Sticky '["''\u2019\u201d][^\r\n"''\u201c\u201d\u2018\u2019]{0,100}(?:\r?\n)?[^\r\n"''\u201c\u201d\u2018\u2019]{0,100}\b(?:value|argument|convert|the|because|accepts)\s{1,4}(?=["''\u201c\u2018])'

function Read-Sentence([string] $Text, [hashtable] $Site) {
  if (-not $IsPasswordPattern.IsMatch($Site.Name)) { return $null }
  $from = $Site.End + (Read-At $ClosedPattern $Text $Site.End).Length
  $joint = Find-At $SentenceSignPattern $Text $from
  if ($null -ne $joint -and $joint.StartsWith(',') -and (Get-Char $Text ($Site.Start - 1)) -ne '[') { return $null }
  if ($null -eq $joint) { $joint = Find-At $WordsPattern $Text $from }
  if ($null -eq $joint) { return $null }
  $ranges = New-Ranges
  $here = $from + $joint.Length
  while ($ranges.Count -lt 8) {
    $value = Read-Likely $Text $here
    if ($null -eq $value) { break }
    $ranges.Add([int[]] ($value[0], $value[1]))
    $here = $value[1] + (Read-At $AndPattern $Text $value[1]).Length
    if ($here -eq $value[1]) { break }
  }
  if ($ranges.Count -eq 0) { return $null }
  return New-Reading $ranges $ranges[$ranges.Count - 1][1]
}

# A quoted text or a word that looks made up, also in brackets; $null if there is none.
function Read-Likely([string] $Text, [int] $At) {
  if ('(', '[', '{', '<' -contains (Get-Char $Text $At) -and -not (Test-Starts $Text $At $Mask)) { $At += 1 }
  $quoted = Read-Quoted $Text $At
  if ($null -ne $quoted) {
    $inner = Get-Slice $Text $quoted.Inner[0] $quoted.Inner[1]
    if (($inner.Length -lt 64 -and $inner -match 'passw|pwd') -or $StatedPattern.IsMatch($inner) -or $inner.Trim() -eq '' -or $inner.Length -gt 256) { return $null }
    return $quoted.Outer
  }
  $end = Get-WordEnd $Text $At
  if ($end -lt 0) { return $null }
  return @($At, $end)
}

# The end of the word here, without punctuation, if it looks made up; -1 otherwise.
function Get-WordEnd([string] $Text, [int] $At) {
  if (Test-Starts $Text $At $Mask) { return $At + $Mask.Length }
  $near = Get-Slice $Text $At ($At + 160)
  $end = Get-BareEnd $near 0
  if ($end -lt 0 -or $end -eq 160) { return -1 }
  $word = $near.Substring(0, $end) -replace '(?:\.{2,}|[.,;:)\]}>])+\z', ''
  if ((Test-MadeUp $word) -and $word -notmatch '\A\w{0,32}(?:password|passwd|pwd)[0-9]{0,2}\z') { return $At + $word.Length }
  return -1
}

function Read-Below([string] $Text, [int] $End, [int] $ValueAt) {
  $block = Find-At $BlockPattern $Text $ValueAt
  if ($null -ne $block) {
    $from = $ValueAt + $block.Length
    $lines = Find-At $BlockLinesPattern $Text $from
    if ($null -eq $lines) { return $null }
    return New-OneReading (Skip-Blanks $Text $from) ($from + $lines.Length)
  }
  $ranges = New-Ranges
  $here = $ValueAt
  for ($items = 0; $items -lt 64; $items += 1) {
    $item = Find-At $ItemPattern $Text $here
    if ($null -eq $item) { break }
    $value = Read-Likely $Text ($here + $item.Length)
    if ($null -eq $value) { break }
    $ranges.Add([int[]] ($value[0], $value[1]))
    $here = $value[1]
  }
  if ($ranges.Count -eq 0 -or $ValueAt -lt $End) { return $null }
  return New-Reading $ranges $here
}

function Test-BareList([string] $Text, [int] $At) {
  $near = Get-Slice $Text $At ($At + 64)
  if ($near -match '\A\[[a-z][\w.]*(?:\[\])?\]\s*["''(@$]') { return $false }
  return $near -match '\A[([{<][ \t]*[^\s"''\u201c\u2018\u201e([{@$&\\`]' -and -not (Test-Starts $Text $At $Mask)
}
function Read-BareList([string] $Text, [int] $At) {
  $ranges = New-Ranges
  $list = Read-At $BareListPattern $Text $At
  foreach ($word in [regex]::Matches($list, '[^\s,;()[\]{}<>]+')) {
    if (Test-MadeUp $word.Value) { $ranges.Add([int[]] (($At + $word.Index), ($At + $word.Index + $word.Length))) }
  }
  if ($ranges.Count -eq 0) { return $null }
  return New-Reading $ranges ($At + $list.Length)
}

function Read-ValueBefore([string] $Text, [hashtable] $Site) {
  if ($Site.Quote -eq '') { return $null }
  $from = [Math]::Max(0, $Site.Start - 360)
  $found = $BeforePattern.Match((Get-Slice $Text $from $Site.Start))
  if (-not $found.Success) { return $null }
  $at = $from + $found.Groups[1].Index
  return New-OneReading $at ($at + $found.Groups[1].Length) $Site.End
}

function Read-Markup([string] $Text, [hashtable] $Site) {
  $before = Get-Slice $Text ($Site.Start - 200) $Site.Start
  $opened = $before.LastIndexOf('<')
  if ($opened -lt 0) { return $null }
  $pattern = $EndedPattern
  if ($opened -gt $before.LastIndexOf('>')) { $pattern = $MarkupPattern }
  $markup = Find-At $pattern $Text $Site.End
  if ($null -eq $markup -or $markup.Contains('/>')) { return $null }
  $from = $Site.End + $markup.Length
  if (Test-Starts $Text $from $Mask) { return New-OneReading $from ($from + $Mask.Length) }
  $value = Read-At $MarkupValuePattern $Text $from
  if ($value.Trim() -eq '' -or (Test-Option $Text $from) -or $StatedPattern.IsMatch($value.Trim()) -or $value -match '\A\s*(?:[0-9]{1,3}|true|false)\s*\z') { return $null }
  return New-OneReading $from ($from + $value.Length)
}

function Read-Complaint([string] $Text, [hashtable] $Site) {
  if ((Get-Slice $Text ($Site.Start - 20) $Site.Start) -notmatch 'parameter(?: name)? ["''\u201c\u2018]\z') { return $null }
  $found = Find-At $ComplaintPattern $Text $Site.End
  if ($null -eq $found -or (Test-Option $Text $Site.End)) { return $null }
  return Read-Values $Text ($Site.End + $found.Length) $false
}

# ---- Masking: arguments of vendors' methods ----

$Methods = @{
  setnewpassword = @{ Args = 2, 4, 5 }; setattribute = @{ Args = , 2 }; setbiosattributes = @{ From = 4 }
  setbiossetting = @{ Args = , 2; Parts = , 2 }; setbiossettings = @{ Args = , 2; Parts = , 2 }; setbiospassword = @{ Parts = 1, 2 }
  savebiossettings = @{ Parts = , 0 }; discardbiossettings = @{ Parts = , 0 }; loaddefaultsettings = @{ Parts = , 0 }
  pscredential = @{ From = 1 }; networkcredential = @{ Args = , 1 }; x509certificate2 = @{ Args = , 1 }; getbytes = @{ Args = , 0 }
  buildandsign = @{ Args = 1, 3 }
}
$MethodPattern = New-Pattern ('(?:\b|_)(setnewpassword|setattribute|setbiosattributes|setbiossetting|setbiossettings|setbiospassword|savebiossettings|discardbiossettings|loaddefaultsettings|pscredential|networkcredential|x509certificate2|getbytes|buildandsign)(?:(?<=buildandsign)\w{1,60})?(?:\]?::new)?(?![\p{L}\p{N}_])')
$IndirectPattern = New-Sticky '\\*["'']?[ \t]*(?:[-\u2013]\w+[ \t]*|@?\([ \t]*|@\{[ \t]*\w*[ \t]*=?[ \t]*|\w+[ \t]*=[ \t]*|call[ \t]+\w+[ \t]*|[ \t])*'

function Find-CallSecrets([string] $Text) {
  $ranges = New-Ranges
  $readTo = 0
  foreach ($found in $MethodPattern.Matches($Text)) {
    if ($found.Index -lt $readTo) { continue }
    $method = $Methods[$found.Groups[1].Value]
    $at = $found.Index + $found.Length
    $opened = Skip-Blanks $Text $at
    if ((Get-Char $Text $opened) -eq '(') { $called = Read-CallArguments $Text ($opened + 1) } else { $called = Read-Indirect $Text $at }
    $readTo = [Math]::Max($readTo, $at)
    if ($called.Count -eq 0) { continue }
    $ranges.AddRange((Select-Arguments $Text $called $method))
    $readTo = $called[$called.Count - 1].Outer[1]
  }
  return , $ranges
}

function Read-CallArguments([string] $Text, [int] $From) {
  $found = New-Object System.Collections.Generic.List[object]
  $limit = [Math]::Min($Text.Length, $From + 2000)
  $at = Skip-Space $Text $From
  $start = $at
  $last = $null
  $depth = 0
  while ($at -lt $limit) {
    $char = [string] $Text[$at]
    $quoted = Read-Quoted $Text $at
    if ($null -ne $quoted) {
      if ($depth -eq 0) { $last = $quoted }
      $at = $quoted.Outer[1]
    }
    elseif ($char -eq ')' -and $depth -eq 0) { break }
    elseif ($char -eq ',' -and $depth -eq 0) {
      $found.Add((New-Argument $Text $start $at $last))
      $last = $null
      $at = Skip-Space $Text ($at + 1)
      $start = $at
    }
    else {
      if ('(', '[', '{' -contains $char) { $depth += 1 }
      if (')', ']', '}' -contains $char) { $depth -= 1 }
      if (("`n", "`r" -contains $char) -and $depth -eq 0 -and (Get-Slice $Text ([Math]::Max($From, $at - 8)) $at) -notmatch '[,(`][ \t]*\z') { break }
      $at += 1
    }
  }
  $found.Add((New-Argument $Text $start $at $last))
  return , $found
}
function New-Argument([string] $Text, [int] $Start, [int] $End, $Quoted) {
  if ($null -ne $Quoted) { return $Quoted }
  $to = $Start + (Get-Slice $Text $Start $End).TrimEnd().Length
  return @{ Outer = @($Start, $to); Inner = @($Start, $to) }
}

function Read-Indirect([string] $Text, [int] $At) {
  $here = $At + (Read-At $IndirectPattern $Text $At).Length
  $found = New-Object System.Collections.Generic.List[object]
  while ($found.Count -lt 6) {
    $quoted = Read-Quoted $Text $here
    if ($null -eq $quoted) { break }
    $found.Add($quoted)
    $next = Skip-Blanks $Text $quoted.Outer[1]
    if ((Get-Char $Text $next) -ne ',') { break }
    $here = Skip-Space $Text ($next + 1)
  }
  return , $found
}

function Select-Arguments([string] $Text, $Called, [hashtable] $Method) {
  $ranges = New-Ranges
  if ($Method.ContainsKey('Parts') -and $Called.Count -eq 1) {
    $start, $end = $Called[0].Inner
    $from = $start
    for ($index = 0; $from -le $end; $index += 1) {
      $comma = -1
      if ($from -lt $Text.Length) { $comma = $Text.IndexOf(',', $from) }
      $to = $comma
      if ($comma -lt 0 -or $comma -gt $end) { $to = $end }
      $until = $to
      if ($to -eq $end -and (Get-Char $Text ($to - 1)) -eq ';') { $until = $to - 1 }
      if ($Method.Parts -contains $index -and ($until -gt $from -or $to -lt $end)) { $ranges.Add([int[]] ($from, $until)) }
      $from = $to + 1
    }
    return , $ranges
  }
  for ($index = 0; $index -lt $Called.Count; $index += 1) {
    $isPassword = ($Method.ContainsKey('Args') -and $Method.Args -contains $index) -or ($Method.ContainsKey('From') -and $index -ge $Method.From)
    $start, $end = $Called[$index].Outer
    if ($isPassword -and $end -gt $start -and (Get-Slice $Text $start $end) -notmatch '\A(?:\$\w+|null|0|""|''''|\(.*)\z') { $ranges.Add([int[]] ($start, $end)) }
  }
  return , $ranges
}

$SecureStringPattern = New-Pattern 'ConvertTo-SecureString'
$CharactersPattern = New-Pattern '("[^"\r\n]{1,256}"|''[^''\r\n]{1,256}'')(?=(?:\)?\.ToCharArray\(\))?[^"''\r\n]{0,100}AppendChar)'
$PipedPattern = New-Pattern '(?:("[^"\r\n]{1,256}"|''[^''\r\n]{1,256}'')|([^\s"''|;(),]{1,256}))\)*[ \t]*([|,])\s*\z'
$SwitchPattern = New-Sticky '[-\u2013\u2014][a-z]+(?::|(?=\s))'
$GroupingPattern = New-Sticky '[$@]?\((?=[\s($@]*["''\u201c])'

function Find-SecureStrings([string] $Text) {
  $ranges = New-Ranges
  foreach ($found in $SecureStringPattern.Matches($Text)) {
    Add-Piped $Text $found.Index $ranges
    Add-Given $Text ($found.Index + $found.Length) $ranges
  }
  foreach ($found in $CharactersPattern.Matches($Text)) { $ranges.Add([int[]] ($found.Index, ($found.Index + $found.Groups[1].Length))) }
  return , $ranges
}
function Add-Piped([string] $Text, [int] $At, $Ranges) {
  $here = $At
  $sign = '|'
  for ($count = 0; $count -lt 4; $count += 1) {
    $from = [Math]::Max(0, $here - 300)
    $before = (Get-Slice $Text $from $here).TrimEnd()
    if (-not $before.EndsWith($sign)) { break }
    $found = $PipedPattern.Match($before)
    if (-not $found.Success) { break }
    $length = [Math]::Max($found.Groups[1].Length, $found.Groups[2].Length)
    $here = $from + $found.Index
    $Ranges.Add([int[]] ($here, ($here + $length)))
    $sign = ','
  }
}
function Add-Given([string] $Text, [int] $From, $Ranges) {
  $here = Skip-Space $Text $From
  if ($here -eq $From -and (Get-Quote $Text $here) -eq '') { return }
  for ($words = 0; $words -lt 6 -and $here -lt $Text.Length; $words += 1) {
    $length = (Read-At $SwitchPattern $Text $here).Length
    if ($length -eq 0) { break }
    $here = Skip-Space $Text ($here + $length)
  }
  while ($true) {
    $length = (Read-At $GroupingPattern $Text $here).Length
    if ($length -eq 0) { break }
    $here = Skip-Space $Text ($here + $length)
  }
  if (Test-Option $Text $here) { return }
  $quoted = Read-Quoted $Text $here
  if ($null -ne $quoted) { $Ranges.Add([int[]] ($quoted.Outer[0], $quoted.Outer[1])); return }
  if ((Get-Char $Text $here) -match '\A(?:[()|;,{}:]|)\z') { return }
  $end = Get-BareEnd $Text $here
  if ($end -ge 0) { $Ranges.Add([int[]] ($here, $end)) }
}

# ---- Masking: syntax of vendors' tools ----

$ToolValue = '\\+"[^"\r\n]*"?|"(?:[^"\\\r\n]|\\[^\r\n]?|"")*"?|''(?:[^''\r\n]|'''')*''?|[\u201c\u201d\u201e][^\u201c\u201d\r\n]*[\u201c\u201d]?|[^\s"''\u201c\u201d\u201e]+(?:["''][^\s"'',;)}\]]+)*'
$ToolEncoding = '(?=,\s?(?:ascii|scancode|utf-16),\s?(?!or\b)[a-z]{2}\b|,\s?(?:asc|asci|ascii|sca|scan|scanc|scanco|scancod|scancode|utf-1|utf-16),?[a-z]?\z)'
$ToolPrograms = 'srsetup\w{0,8}|srwin|cfgwin|hpqpswd|hpqrepset|hpbiosupdrec|editcmos|amidewin\w{0,4}|amisce|scewin\w{0,4}|afuwin\w{0,4}|sshpass|psexec|paexec|ipmitool|racadm|certutil|signtool|winrs|mstsc|schtasks'
# A pattern that every match contains, the part before the password, and the password itself.
$ToolForms = @(
  , @('[-\u2013/]p=', '\.exe["'']?[ \t][^\r\n]{0,200}?[-\u2013/]p=', $ToolValue)
  , @('hpqpswd', 'HpqPswd(?:64)?(?:\.exe)?["'']?[ \t][^\r\n]{0,200}?[-\u2013/]p(?:[:=]|[ \t]{0,8}(?=["''\u201c\u201d\u201e]))', $ToolValue)
  , @('thinkbiosconfig', 'ThinkBiosConfig\w{0,8}\.(?:hta|exe)["'']?(?:[^\r\n\x60^]|[\x60^]\s?){0,400}?["''\u201c\u201d\u201e](?:key|pass)=', '[^"''\u201c\u201d\r\n]{1,256}')
  , @('thinkbiosconfig', 'ThinkBiosConfig\w{0,8}\.(?:hta|exe)["'']?(?:[^\r\n\x60^]|[\x60^]\s?){0,400}?[ \t](?:key|pass)=', $ToolValue)
  , @('set-hpbiossetting', 'Set-HPBIOSSettingValue[ \t]{1,4}(?![-\u2013])(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?![-\u2013])(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?![-\u2013|;#>:])', $ToolValue)
  , @('set-hpbiossetting', 'Set-HPBIOSSettingDefaults[ \t]{1,4}(?=["''\u201c]|[^\s]{0,64}[0-9])(?![-\u2013|;#>:])', $ToolValue)
  , @('password\.vbs', '(?:Config|Setting)\w{0,16}Password\.vbs["'']?[ \t]{1,4}(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?!\S{0,128}(?:ascii|scancode|utf-16),)', $ToolValue)
  , @('password\.vbs', '(?<!Config|Setting)Password\.vbs["'']?[ \t]{1,4}(?!\S{0,128}(?:ascii|scancode|utf-16),)', $ToolValue)
  , @('password\.vbs', '(?<!Config|Setting)Password\.vbs["'']?[ \t]{1,4}(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?!\S{0,128}(?:ascii|scancode|utf-16),)', $ToolValue)
  , @(('\b(?:' + $ToolPrograms + ')'), ('\b(?:' + $ToolPrograms + ')(?:64|32)?(?:\.exe)?["'']?[ \t][^\r\n]{0,200}?(?<!\S)["'']?[-\u2013/](?:p|rp|pap|svp|sap|uac|psw|pw|apwd|spwd|upwd)(?:[:=]|[ \t]{1,4}|(?=["''\u201c]))(?![-\u2013/\s])'), $ToolValue)
  , @('hpqpswd|sshpass', '(?:HpqPswd(?:64)?(?:\.exe)?|sshpass)["'']?[ \t](?:[^\r\n]{0,200}?[ \t])?[-\u2013/]p(?![:=\s"''\u201c\u201d])', $ToolValue)
  , @('pass:', '[-\u2013]pass(?:in|out)?[ \t]{1,4}["'']?pass:', $ToolValue)
  , @('net[ \t]+user?', '\bnet(?:\.exe)?[ \t]{1,4}user?[ \t]{1,4}(?:[a-z*]:[ \t]{1,4})?(?:"[^"\r\n]{0,256}"|''[^''\r\n]{0,256}''|[^\s"'']{1,128})[ \t]{1,4}(?:/\w+(?::\S+)?[ \t]{1,4})?(?![/*\s])', $ToolValue)
  , @('://[^\s/]{1,128}:[^\s/]{1,256}@', '[a-z][a-z0-9+.-]{1,20}://[^\s/:@"''<>]{0,128}:', '[^\s/@"''<>]{1,256}(?=@)')
  , @('curl|wget|invoke-', '(?:curl|wget)(?:\.exe)?[ \t](?:[^\r\n]{0,400}?[ \t])?(?:-u[ \t]{0,4}|--(?:proxy-)?user[ =])["'']?[^\s:"'']{1,128}:', '[^\s"'']{1,256}')
  , @('authorization', 'Authorization["'']?[ \t]{0,4}[:=][ \t]{0,4}["'']?(?:Basic|Bearer)[ \t]{1,4}', '[^\s"'',;]{4,4096}')
  , @('parameterbinding', 'ParameterBinding\(ConvertTo-SecureString\):[ \t]{0,4}name="String";[ \t]{0,4}value=', $ToolValue)
  , @('accepts argument', '(?:passw|pwd|securestring)[^\r\n]{0,160}accepts argument[ \t]{1,4}', $ToolValue)
  , @('\.import\(', '\.Import\([^,\r\n]{1,200},[ \t]{0,8}', '"[^"\r\n]{1,256}"?|''[^''\r\n]{1,256}''?')
  , @('\[501\]', '\[501\]\.ConfiguredValue[ \t]{0,8}=[ \t]{0,8}', $ToolValue)
  , @('<(?:utf-16|kbd)/>', '["''\u201c\u201d]<(?:utf-16|kbd)/>(?:["''\u201c\u201d][ \t]{0,8}[+&][ \t]{0,8}["''\u201c\u201d])?[ \t]{0,2}', '[^"''\u201c\u201d\r\n]{1,256}')
  , @('<(?:utf-16|kbd)/>', '<(?:utf-16|kbd)/>(?:["''\u201c\u201d][ \t]{0,8}[+&][ \t]{0,8}["''\u201c\u201d])?[ \t]{0,2}', '[^\s"''<,;)]+')
  , @('wmiopcodepassword', '["''\u201c\u201d]WmiOpcodePassword(?!Type|Encoding|SetUpdate)[a-z]{0,24}[0-9]{0,2}:(?:["''\u201c\u201d][ \t]{0,8}[+&][ \t]{0,8}["''\u201c\u201d])?', '[^"''\u201c\u201d;\r\n]{1,256}')
  , @('wmiopcodepassword', 'WmiOpcodePassword(?!Type|Encoding|SetUpdate)[a-z]{0,24}[0-9]{0,2}:', '[^\s"''\u201c\u201d;,)]+')
  , @('(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}\z', '\b(?:pap|pop|smp|svp|[um](?:hdp|drp|nvp)[0-9]{0,2}|adrp[0-9]{0,2}),', ('[^,"''\u201c\u201d()\r\n]{0,128}(?=,[^,"''\u201c\u201d()\r\n]{0,128}' + $ToolEncoding + ')'))
  , @('(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}\z', '(?<=[,"''\u201c\u201d(])', ('(?!,)[^,"''\u201c\u201d()\r\n]{0,128}' + $ToolEncoding))
  , @('(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}\z', '(?<![^\s,"''\u201c\u201d()])', ('[^\s,"''\u201c\u201d()]{1,128}' + $ToolEncoding))
  , @('(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}\z', '(?<!\S)', '\S{1,128}(?=[ \t]{1,8}\S{1,128}[ \t]{1,8}(?:ascii|scancode|utf-16),(?:us|fr|gr)\b)')
  , @('(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}\z', '(?<!\S)', '\S{1,128}(?=[ \t]{1,8}(?:ascii|scancode|utf-16),(?:us|fr|gr)\b)')
)
$ToolPatterns = @($ToolForms | ForEach-Object { @{ Word = (New-Pattern $_[0]); Pattern = (New-Pattern "($($_[1]))(?:$($_[2]))") } })
function Find-ToolSecrets([string] $Text) {
  $ranges = New-Ranges
  foreach ($form in $ToolPatterns) {
    if (-not $form.Word.IsMatch($Text)) { continue }
    foreach ($found in $form.Pattern.Matches($Text)) {
      $start = $found.Index + $found.Groups[1].Length
      if (-not (Test-Starts $Text $start $Mask)) { $ranges.Add([int[]] ($start, ($found.Index + $found.Length))) }
    }
  }
  return , $ranges
}

# ---- Masking: a whole text ----

# Every secret is near one of these: one test instead of dozens.
$AnySignPattern = New-Pattern ('pass|pw|psw|kennwort|secret|authorizationtoken|encryptionkey|sechandle|securestring|appendchar|' + ((@($Methods.Keys) + @($ToolForms | ForEach-Object { $_[0] })) -join '|'))
function Find-Secrets([string] $Text) {
  $ranges = New-Ranges
  if (-not $AnySignPattern.IsMatch($Text)) { return , $ranges }
  $ranges.AddRange((Find-NamedSecrets $Text))
  $ranges.AddRange((Find-CallSecrets $Text))
  $ranges.AddRange((Find-SecureStrings $Text))
  $ranges.AddRange((Find-ToolSecrets $Text))
  return , $ranges
}

# The marker of an encoded password in HP's tools is not secret itself.
$EncodingMarkPattern = New-Pattern '\A(["''\u201c\u201d]?)<(?:utf-16|kbd)/>'
function Remove-Mark([string] $Text, [int[]] $Range) {
  $start, $end = $Range
  $found = $EncodingMarkPattern.Match((Get-Slice $Text $start ([Math]::Min($end, $start + 12))))
  if (-not $found.Success) { return @($start, $end) }
  $from = $start + $found.Length
  $to = $end
  if ($found.Groups[1].Length -gt 0 -and (Get-Slice $Text ($end - 1) $end) -match '["\u201c\u201d'']') { $to = $end - 1 }
  if ($to -gt $from) { return @($from, $to) }
  return @($start, ($start - 1))
}
function Test-Masked([string] $Part) {
  return $Part.Length -gt $Mask.Length -and $Part.Contains($Mask) -and $Part.Replace($Mask, '') -match '\A(?:[^\p{L}\p{N}]|\$[\w.]+\()*\z'
}

# Masks what looks like a BIOS password, and leaves every other character unchanged.
function Hide-BiosPassword([string] $Text) {
  $said = Find-InViews $Text
  $found = New-Ranges
  $found.AddRange($said)
  $found.AddRange((Find-Encoded $Text))
  if ($found.Count -eq 0) { return $Text }
  $found.AddRange((Find-Repeated $Text $said))
  $ranges = @(foreach ($range in $found) {
      $start, $end = Remove-Mark $Text $range
      if ($end -ge $start -and -not (Test-Masked (Get-Slice $Text $start ([Math]::Min($end, $start + 4096))))) { @{ Start = $start; End = $end } }
    }) | Sort-Object { $_.Start }, { -$_.End }
  $parts = New-Object System.Text.StringBuilder
  $done = 0
  $last = -1
  foreach ($range in $ranges) {
    if ($range.Start -ge $done -and $range.Start -gt $last) {
      [void] $parts.Append($Text, $done, $range.Start - $done)
      [void] $parts.Append($Mask)
    }
    $done = [Math]::Max($done, $range.End)
    $last = [Math]::Max($last, $range.Start)
  }
  [void] $parts.Append($Text, $done, $Text.Length - $done)
  return $parts.ToString()
}

# ---- One result as JSON ----

function ConvertTo-JsonText([string] $Text) {
  $safe = $Text.Replace('\', '\\').Replace('"', '\"').Replace("`t", '\t').Replace("`n", '\n').Replace("`r", '\r')
  $safe = [regex]::Replace($safe, '[\u0000-\u001F\u007F]', '')
  # Half of a pair is no character.
  $safe = [regex]::Replace($safe, '[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]', [string] [char] 0xFFFD)
  return '"' + $safe + '"'
}

# @param $Printed Output and Error, each with Bytes and LeftOut
function ConvertTo-Result([hashtable] $Settings, [hashtable] $Printed) {
  $deviceName = $Settings.DeviceName
  if ($deviceName -eq '') { $deviceName = [Environment]::MachineName }
  $osVersion = $Settings.OsVersion
  if ($osVersion -eq '') { $osVersion = Get-OsVersion }
  $upn = $Settings.Upn
  if ($upn -eq '') { $upn = Get-PrimaryUser }
  $completedAt = $Settings.CompletedAt
  if ($completedAt -eq '') { $completedAt = [DateTimeOffset]::FromUnixTimeSeconds((Get-Now)).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [Globalization.CultureInfo]::InvariantCulture) }
  $members = New-Object System.Collections.Generic.List[string]
  foreach ($pair in @(
      @('runId', $Settings.RunId), @('deviceId', $Settings.DeviceId), @('hardwareConfigurationId', $Settings.Configuration),
      @('deviceName', $deviceName), @('osVersion', $osVersion), @('upn', $upn), @('completedAt', $completedAt), @('state', $Settings.State)
    )) {
    if ($pair[1] -ne '') { $members.Add('"' + $pair[0] + '":' + (ConvertTo-JsonText $pair[1])) }
  }
  $members.Insert(3, '"policyVersion":' + [long] $Settings.PolicyVersion)
  if ($Settings.ExitCode -ne '') { $members.Add('"exitCode":' + [long] $Settings.ExitCode) }
  foreach ($name in 'Output', 'Error') {
    if ($Printed[$name].Bytes.Length -eq 0) { continue }
    $text = ConvertTo-ReportedText $Printed[$name].Bytes (Get-OemCodePage) $Printed[$name].LeftOut
    $members.Add('"' + $name.ToLowerInvariant() + '":' + (ConvertTo-JsonText $text))
  }
  return '{' + ($members -join ',') + '}'
}

# ---- Running a command ----

# An argument as programs on Windows take command lines apart, and .NET does elsewhere.
function ConvertTo-Argument([string] $Text) {
  if ($Text -ne '' -and $Text -notmatch '[\s"]') { return $Text }
  $escaped = [regex]::Replace($Text, '(\\*)"', '$1$1\"')
  return '"' + [regex]::Replace($escaped, '(\\+)\z', '$1$1') + '"'
}

# What to start: a script of PowerShell by this PowerShell, batch files by cmd, everything else itself.
function Resolve-Command([string[]] $Command) {
  $arguments = @($Command | Select-Object -Skip 1)
  $found = Get-Command -Name $Command[0] -CommandType Application, ExternalScript -ErrorAction SilentlyContinue | Select-Object -First 1
  if ($null -eq $found) { return $null }
  if ($found.CommandType -eq 'ExternalScript') {
    return @{ File = (Get-PowerShellPath); Arguments = @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File', $found.Path) + $arguments }
  }
  if ($IsOnWindows -and $found.Path -match '\.(cmd|bat)\z') {
    return @{ File = $env:ComSpec; Arguments = @('/d', '/c', $found.Path) + $arguments }
  }
  return @{ File = $found.Path; Arguments = $arguments }
}

function Get-PowerShellPath {
  $path = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
  if ($path -match '(powershell|pwsh)(\.exe)?\z') { return $path }
  foreach ($name in 'pwsh', 'powershell') {
    $candidate = Join-Path $PSHOME $name
    if ($IsOnWindows) { $candidate += '.exe' }
    if ([IO.File]::Exists($candidate)) { return $candidate }
  }
  return 'powershell'
}

# Runs it to its end. What it prints is held in memory, as bytes: head and tail of what is too much.
# @returns ExitCode, and Output and Error, each with Bytes and LeftOut
function Invoke-Tool([string[]] $Command) {
  $start = Resolve-Command $Command
  if ($null -eq $start) { return New-Printed 127 "$($Command[0]): not found" }
  $info = New-Object System.Diagnostics.ProcessStartInfo
  $info.FileName = $start.File
  $info.Arguments = @($start.Arguments | ForEach-Object { ConvertTo-Argument $_ }) -join ' '
  $info.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
  $info.UseShellExecute = $false
  $info.RedirectStandardOutput = $true
  $info.RedirectStandardError = $true
  try { $process = [Diagnostics.Process]::Start($info) }
  catch { return New-Printed 126 $_.Exception.Message }
  $pipes = @($process.StandardOutput.BaseStream, $process.StandardError.BaseStream)
  $kept = @((New-KeptBytes), (New-KeptBytes))
  $buffers = @((New-Object byte[] 65536), (New-Object byte[] 65536))
  $reads = [Threading.Tasks.Task[]] @($pipes[0].ReadAsync($buffers[0], 0, 65536), $pipes[1].ReadAsync($buffers[1], 0, 65536))
  $open = 0, 1
  while ($open.Count -gt 0) {
    $waitMs = 200
    if ($process.HasExited) { $waitMs = $PipesTimeoutMs }
    $ready = [Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]] @($open | ForEach-Object { $reads[$_] }), $waitMs)
    if ($ready -lt 0) {
      if ($waitMs -eq $PipesTimeoutMs) { break }
      continue
    }
    $pipe = $open[$ready]
    $count = 0
    if ($reads[$pipe].Status -eq 'RanToCompletion') { $count = $reads[$pipe].Result }
    if ($count -eq 0) { $open = @($open | Where-Object { $_ -ne $pipe }); continue }
    Add-KeptBytes $kept[$pipe] $buffers[$pipe] $count
    $reads[$pipe] = $pipes[$pipe].ReadAsync($buffers[$pipe], 0, 65536)
  }
  $process.WaitForExit()
  return @{ ExitCode = $process.ExitCode; Output = (Get-KeptBytes $kept[0]); Error = (Get-KeptBytes $kept[1]) }
}

# The result of a command that could not be started; the codes are those of shells.
function New-Printed([int] $Code, [string] $Message) {
  return @{ ExitCode = $Code; Output = (ConvertTo-Printed ([byte[]] @())); Error = (ConvertTo-Printed $Utf8.GetBytes($Message)) }
}

function ConvertTo-Printed([byte[]] $Bytes) { return @{ Bytes = $Bytes; LeftOut = 0 } }

# The first and the last bytes of what a command prints.
function New-KeptBytes { return @{ Head = (New-Object System.IO.MemoryStream); Tail = (New-Object System.Collections.Generic.Queue[byte[]]); TailBytes = 0; LeftOut = 0 } }

function Add-KeptBytes([hashtable] $Kept, [byte[]] $Buffer, [int] $Count) {
  $toHead = [int] [Math]::Min($Count, $MaxKeptBytes / 2 - $Kept.Head.Length)
  $Kept.Head.Write($Buffer, 0, $toHead)
  if ($toHead -eq $Count) { return }
  $rest = New-Object byte[] ($Count - $toHead)
  [Array]::Copy($Buffer, $toHead, $rest, 0, $rest.Length)
  $Kept.Tail.Enqueue($rest)
  $Kept.TailBytes += $rest.Length
  while ($Kept.TailBytes - $Kept.Tail.Peek().Length -ge $MaxKeptBytes / 2) {
    $dropped = $Kept.Tail.Dequeue().Length
    $Kept.TailBytes -= $dropped
    $Kept.LeftOut += $dropped
  }
}

function Get-KeptBytes([hashtable] $Kept) {
  $all = New-Object System.IO.MemoryStream
  $Kept.Head.WriteTo($all)
  # UTF-16 goes on at an even byte.
  $skip = [int] ($Kept.LeftOut % 2)
  $Kept.LeftOut += $skip
  foreach ($part in $Kept.Tail) {
    $all.Write($part, $skip, $part.Length - $skip)
    $skip = 0
  }
  return @{ Bytes = $all.ToArray(); LeftOut = $Kept.LeftOut }
}

# ---- The spool: SPOOL\<order>-<run id>.json, one result each ----

function Open-Spool([string] $Directory) {
  try {
    $isNew = -not [IO.Directory]::Exists($Directory)
    [void] [IO.Directory]::CreateDirectory($Directory)
    # Whoever made the directory, and also if the agent was killed right after that. Who may write there may not always protect it.
    $refused = Join-Path $Directory 'refused'
    try { if (-not [IO.Directory]::Exists($refused)) { Protect-Directory $Directory } }
    catch { if ($isNew) { throw } }
    [void] [IO.Directory]::CreateDirectory($refused)
    # What an instance left that was killed while it wrote.
    foreach ($left in [IO.Directory]::GetFiles($Directory, '*.writing')) {
      if ([IO.File]::GetLastWriteTimeUtc($left) -lt [DateTime]::UtcNow.AddMinutes(-10)) { [IO.File]::Delete($left) }
    }
    Write-Whole (Join-Path $Directory 'probe') 'probe'
    [IO.File]::Delete((Join-Path $Directory 'probe'))
  }
  catch { Stop-Agent 73 "cannot write the spool ${Directory}: $($_.Exception.Message)" }
}

# A file that is there whole or not at all, also after the power fails.
function Write-Whole([string] $File, [string] $Text) {
  $writing = "$File.$PID.writing"
  $bytes = $Utf8.GetBytes($Text)
  try {
    $stream = New-Object System.IO.FileStream $writing, ([IO.FileMode]::Create), ([IO.FileAccess]::Write), ([IO.FileShare]::None)
    try {
      $stream.Write($bytes, 0, $bytes.Length)
      $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    if (-not $IsOnWindows) { & chmod 600 $writing }
    Move-Over $writing $File
  }
  catch {
    try { [IO.File]::Delete($writing) } catch { $null = $_ }
    throw
  }
}

function Move-Over([string] $From, [string] $To) {
  if ([IO.File]::Exists($To)) { [IO.File]::Replace($From, $To, [NullString]::Value) }
  else { [IO.File]::Move($From, $To) }
}

# Names, oldest first.
function Get-Kept([string] $Directory) {
  $names = @([IO.Directory]::GetFiles($Directory, '*.json') | ForEach-Object { [IO.Path]::GetFileName($_) } | Where-Object { $_ -cmatch '\A[0-9]{1,18}-[A-Za-z0-9._-]{1,128}\.json\z' })
  return , @($names | Sort-Object @{ Expression = { [long] $_.Substring(0, $_.IndexOf('-')) } }, @{ Expression = { $_ } })
}

# Its name sorts after everything that waits, whatever the clock says.
function Save-Result([string] $Directory, [hashtable] $Settings, [hashtable] $Printed) {
  if ($Settings.RunId -eq '') { $Settings.RunId = [Guid]::NewGuid().ToString('N') }
  $order = Get-Now
  $kept = Get-Kept $Directory
  if ($kept.Count -gt 0) {
    $newest = [long] $kept[-1].Substring(0, $kept[-1].IndexOf('-'))
    if ($order -le $newest) { $order = $newest + 1 }
  }
  # The same run may have been refused in this second.
  while ([IO.File]::Exists((Join-Path $Directory "refused/$order-$($Settings.RunId).json"))) { $order += 1 }
  $result = ConvertTo-Result $Settings $Printed
  try { Write-Whole (Join-Path $Directory "$order-$($Settings.RunId).json") "$result`n" }
  catch { Stop-Agent 73 "cannot write the spool ${Directory}: $($_.Exception.Message)" }
}

# Removes results that are too old, and the oldest of what is too much. A name of before 2020 comes from a clock that was not set.
function Remove-Old([string] $Directory, [hashtable] $Settings) {
  $total = [long] 0
  $names = Get-Kept $Directory
  [Array]::Reverse($names)
  foreach ($name in $names) {
    $file = Join-Path $Directory $name
    $total += (New-Object System.IO.FileInfo $file).Length
    $since = [long] $name.Substring(0, $name.IndexOf('-'))
    $isOld = $since -gt 1577836800 -and (Get-Now) - $since -gt [long] $Settings.MaxAgeH * 3600
    if (-not $isOld -and $total -le [long] $Settings.MaxMb * 1048576) { continue }
    [IO.File]::Delete($file)
    [IO.File]::Delete("$file.answer")
    Write-Note "dropped ${name}: older than $($Settings.MaxAgeH) h, or beyond $($Settings.MaxMb) MB"
  }
}

# The system closes the file of a process that is gone, so a crash leaves no lock.
# @returns the lock, to be disposed; $null if another instance has it
function Lock-Spool([string] $Directory) {
  for ($try = 0; $try -lt $LockTries; $try += 1) {
    try { return New-Object System.IO.FileStream (Join-Path $Directory 'lock'), ([IO.FileMode]::OpenOrCreate), ([IO.FileAccess]::ReadWrite), ([IO.FileShare]::None) }
    catch [IO.IOException] { Start-Sleep -Milliseconds (1000 + (Get-RandomBelow 1000)) }
  }
  return $null
}

# ---- Signatures ----

# How requests are signed: the algorithm, the headers that say by whom, and a script block that signs bytes.
function Open-Signer([hashtable] $Settings) {
  if ($Settings.Certificate -ne '') { return Open-CertificateSigner $Settings }
  if ($Settings.KeyFile -eq '') { Stop-Agent 64 'give -DeviceId and -KeyFile, or -Certificate' }
  Assert-Readable $Settings.KeyFile
  $key = Read-Key (Resolve-File $Settings.KeyFile)
  if ($key.Length -lt 16 -or $key.Length -gt 64) { Stop-Agent 64 "$($Settings.KeyFile) does not hold a key in base64" }
  return @{
    Algorithm = 'hmac-sha256'; Certificate = ''; Chain = ''; DeviceId = ''; Key = $key
    Sign = { param($signer, $bytes) (New-Object System.Security.Cryptography.HMACSHA256 (, $signer.Key)).ComputeHash($bytes) }
  }
}

# Base64; `dpapi:` before it says that DPAPI protects the bytes for this machine.
function Read-Key([string] $File) {
  $text = [regex]::Replace([IO.File]::ReadAllText($File), '\s', '')
  try {
    if ($text.StartsWith('dpapi:')) { return , [byte[]] (Unprotect-Bytes ([Convert]::FromBase64String($text.Substring(6)))) }
    return , [Convert]::FromBase64String($text)
  }
  catch { Stop-Agent 64 "$File does not hold a key in base64 that can be read here" }
}

function Open-CertificateSigner([hashtable] $Settings) {
  switch -Regex ($Settings.Certificate) {
    '\AEntra\z' { $certificate = Find-EntraCertificate }
    '\AIntune\z' { $certificate = Find-IntuneCertificate }
    '\A[0-9A-Fa-f]{40}\z' { $certificate = Find-StoreCertificate { param($one) $one.Thumbprint -eq $Settings.Certificate } }
    default { return Open-FileSigner $Settings }
  }
  if ($null -eq $certificate) { Stop-Agent 64 "there is no certificate $($Settings.Certificate) with a private key here" }
  $chain = @()
  # The directory knows an Entra certificate; nobody asks for its issuer.
  if ($Settings.Certificate -ne 'Entra') { $chain = Get-Intermediates $certificate }
  return New-CertificateSigner $certificate (Get-PrivateKey $certificate) $chain
}

# The private key, used where it is: in a TPM it stays there.
function Get-PrivateKey([Security.Cryptography.X509Certificates.X509Certificate2] $Certificate) {
  $rsa = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
  if ($null -ne $rsa) { return $rsa }
  return [Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($Certificate)
}

function Get-Intermediates([Security.Cryptography.X509Certificates.X509Certificate2] $Certificate) {
  $chain = New-Object System.Security.Cryptography.X509Certificates.X509Chain
  $chain.ChainPolicy.RevocationMode = 'NoCheck'
  [void] $chain.Build($Certificate)
  return @($chain.ChainElements | Select-Object -Skip 1 -First 5 | ForEach-Object { $_.Certificate } | Where-Object { $_.Subject -ne $_.Issuer })
}

function New-CertificateSigner($Certificate, $PrivateKey, [object[]] $Chain) {
  $isRsa = $PrivateKey -is [Security.Cryptography.RSA]
  if (-not $isRsa -and -not ($PrivateKey -is [Security.Cryptography.ECDsa] -and $PrivateKey.KeySize -eq 256)) {
    Stop-Agent 64 'the private key is not of the kinds RSA and P-256'
  }
  $field = { param($one) ':' + [Convert]::ToBase64String($one.RawData) + ':' }
  $signer = @{ Algorithm = 'ecdsa-p256-sha256'; Certificate = (& $field $Certificate); Key = $PrivateKey }
  $signer.Sign = { param($signer, $bytes) $signer.Key.SignData($bytes, [Security.Cryptography.HashAlgorithmName]::SHA256) }
  if ($isRsa) {
    $signer.Algorithm = 'rsa-v1_5-sha256'
    $signer.Sign = {
      param($signer, $bytes)
      $signer.Key.SignData($bytes, [Security.Cryptography.HashAlgorithmName]::SHA256, [Security.Cryptography.RSASignaturePadding]::Pkcs1)
    }
  }
  $signer.Chain = @($Chain | ForEach-Object { & $field $_ }) -join ', '
  $signer.DeviceId = $Certificate.GetNameInfo([Security.Cryptography.X509Certificates.X509NameType]::SimpleName, $false)
  return $signer
}

# PEM with a private key beside it or in it, or a PKCS #12 file without a password.
function Open-FileSigner([hashtable] $Settings) {
  Assert-Readable $Settings.Certificate
  $file = Resolve-File $Settings.Certificate
  try {
    if ($file -match '\.(pfx|p12)\z') {
      $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 $file, ''
      return New-CertificateSigner $certificate (Get-PrivateKey $certificate) (Get-Intermediates $certificate)
    }
    $certificates = @(Read-Pem $file 'CERTIFICATE' | ForEach-Object { New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, $_.Bytes) })
    $keyFile = $file
    if ($Settings.PrivateKey -ne '') { $keyFile = Resolve-File $Settings.PrivateKey }
    $key = @(Read-Pem $keyFile '(?:RSA |EC )?PRIVATE KEY')
    if ($certificates.Count -gt 0 -and $key.Count -gt 0) {
      return New-CertificateSigner $certificates[0] (ConvertTo-PrivateKey $key[0] $certificates[0]) @($certificates | Select-Object -Skip 1 -First 5)
    }
  }
  catch {
    if ($_.Exception.Data.Contains('ExitCode')) { throw }
    Stop-Agent 64 "cannot read the certificate or its private key: $($_.Exception.Message)"
  }
  Stop-Agent 64 "$($Settings.Certificate) needs a certificate in PEM, and -PrivateKey its key without a password"
}

function Read-Pem([string] $File, [string] $Label) {
  $text = [IO.File]::ReadAllText($File)
  foreach ($found in [regex]::Matches($text, "-----BEGIN ($Label)-----([A-Za-z0-9+/=\s]+)-----END ")) {
    @{ Label = $found.Groups[1].Value; Bytes = [Convert]::FromBase64String([regex]::Replace($found.Groups[2].Value, '\s', '')) }
  }
}

# One element of DER: its tag, where its content is, and where it ends.
function Read-Der([byte[]] $Bytes, [int] $At) {
  $length = [int] $Bytes[$At + 1]
  $start = $At + 2
  if ($length -ge 0x80) {
    $count = $length - 0x80
    $length = 0
    for ($i = 0; $i -lt $count; $i += 1) { $length = $length * 256 + $Bytes[$start + $i] }
    $start += $count
  }
  if ($start + $length -gt $Bytes.Length) { throw 'a private key that is cut off' }
  return @{ Tag = $Bytes[$At]; Start = $start; End = $start + $length }
}

function Read-DerChildren([byte[]] $Bytes, [hashtable] $Parent) {
  for ($at = $Parent.Start; $at -lt $Parent.End; $at = $child.End) {
    $child = Read-Der $Bytes $at
    $child
  }
}

# The bytes of an element, filled up with zeros on the left or freed of them, to this length; 0 leaves the length free.
function Get-DerBytes([byte[]] $Bytes, [hashtable] $Element, [int] $Length = 0) {
  $from = $Element.Start
  while ($Bytes[$from] -eq 0 -and $from -lt $Element.End - 1) { $from += 1 }
  $count = $Element.End - $from
  if ($Length -lt $count) { $Length = $count }
  $part = New-Object byte[] $Length
  [Array]::Copy($Bytes, $from, $part, $Length - $count, $count)
  return , $part
}

# .NET Framework reads no PEM keys: PKCS #8, PKCS #1 and SEC 1.
function ConvertTo-PrivateKey([hashtable] $Pem, $Certificate) {
  $bytes = $Pem.Bytes
  $fields = @(Read-DerChildren $bytes (Read-Der $bytes 0))
  if ($Pem.Label -eq 'PRIVATE KEY') { $fields = @(Read-DerChildren $bytes (Read-Der $bytes $fields[2].Start)) }
  if ($fields[1].Tag -eq 4) { return ConvertTo-EcKey (Get-DerBytes $bytes $fields[1] 32) $Certificate }
  $modulus = Get-DerBytes $bytes $fields[1]
  $half = [int] [Math]::Ceiling($modulus.Length / 2)
  $parameters = New-Object System.Security.Cryptography.RSAParameters
  $parameters.Modulus = $modulus
  $parameters.Exponent = Get-DerBytes $bytes $fields[2]
  $parameters.D = Get-DerBytes $bytes $fields[3] $modulus.Length
  $parameters.P = Get-DerBytes $bytes $fields[4] $half
  $parameters.Q = Get-DerBytes $bytes $fields[5] $half
  $parameters.DP = Get-DerBytes $bytes $fields[6] $half
  $parameters.DQ = Get-DerBytes $bytes $fields[7] $half
  $parameters.InverseQ = Get-DerBytes $bytes $fields[8] $half
  $rsa = [Security.Cryptography.RSA]::Create()
  $rsa.ImportParameters($parameters)
  return $rsa
}

function ConvertTo-EcKey([byte[]] $Secret, $Certificate) {
  $point = $Certificate.PublicKey.EncodedKeyValue.RawData
  if ($point.Length -ne 65) { throw 'not a key on the curve P-256' }
  $parameters = New-Object System.Security.Cryptography.ECParameters
  $parameters.Curve = [Security.Cryptography.ECCurve+NamedCurves]::nistP256
  $parameters.D = $Secret
  $q = New-Object System.Security.Cryptography.ECPoint
  $q.X = [byte[]] $point[1..32]
  $q.Y = [byte[]] $point[33..64]
  $parameters.Q = $q
  return [Security.Cryptography.ECDsa]::Create($parameters)
}

# What is signed of a request (RFC 9421, section 2.5).
function Get-SignatureBase([hashtable] $Signer, [string] $Path, [string] $Digest, [string] $Parameters) {
  $lines = @('"@method": POST', "`"@path`": $Path", "`"content-digest`": $Digest")
  if ($Signer.Certificate -ne '') { $lines += "`"device-certificate`": $($Signer.Certificate)" }
  $lines += "`"@signature-params`": $Parameters"
  return $lines -join "`n"
}

# @returns the headers that sign a request, in order
function Get-SignedHeaders([hashtable] $Signer, [string] $KeyId, [string] $Path, [byte[]] $Body, [long] $CreatedS) {
  $digest = 'sha-256=:' + [Convert]::ToBase64String([Security.Cryptography.SHA256]::Create().ComputeHash($Body)) + ':'
  $headers = [ordered] @{ 'Content-Digest' = $digest }
  $components = '"@method" "@path" "content-digest"'
  if ($Signer.Certificate -ne '') {
    $headers['Device-Certificate'] = $Signer.Certificate
    if ($Signer.Chain -ne '') { $headers['Device-Certificate-Chain'] = $Signer.Chain }
    $components += ' "device-certificate"'
  }
  $parameters = "($components);created=$CreatedS;keyid=`"$KeyId`";alg=`"$($Signer.Algorithm)`""
  $signature = & $Signer.Sign $Signer $Utf8.GetBytes((Get-SignatureBase $Signer $Path $digest $parameters))
  $headers['Signature-Input'] = "device=$parameters"
  $headers['Signature'] = 'device=:' + [Convert]::ToBase64String([byte[]] $signature) + ':'
  return $headers
}

# ---- Sending ----

function New-HttpClient([hashtable] $Settings) {
  Add-Type -AssemblyName System.Net.Http
  if ($PSVersionTable.PSVersion.Major -le 5) {
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
  }
  $handler = New-HttpHandler $Settings.CaFile
  $handler.AllowAutoRedirect = $false
  $handler.UseCookies = $false
  if ($Settings.Proxy -ne '') {
    $address = New-Object System.Uri $Settings.Proxy
    $proxy = New-Object System.Net.WebProxy $address.GetLeftPart([UriPartial]::Authority).Replace("$($address.UserInfo)@", '')
    if ($address.UserInfo -ne '') {
      $name, $password = $address.UserInfo.Split([char[]] ':', 2) | ForEach-Object { [Uri]::UnescapeDataString($_) }
      $proxy.Credentials = New-Object System.Net.NetworkCredential $name, $password
    }
    $handler.Proxy = $proxy
  }
  elseif ($handler.PSObject.Properties.Name -contains 'DefaultProxyCredentials') {
    $handler.DefaultProxyCredentials = [Net.CredentialCache]::DefaultCredentials
  }
  $client = New-Object System.Net.Http.HttpClient $handler
  $client.Timeout = [TimeSpan]::FromSeconds($RequestTimeoutS)
  $client.MaxResponseContentBufferSize = $MaxAnswerBytes
  $client.DefaultRequestHeaders.ExpectContinue = $false
  return $client
}

# Trusts the authorities of a PEM file besides those of the system. A script block cannot be the callback that checks a
# certificate, since it is called on a thread without PowerShell.
function New-HttpHandler([string] $CaFile) {
  if ($CaFile -eq '') { return New-Object System.Net.Http.HttpClientHandler }
  $authorities = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2Collection
  foreach ($pem in Read-Pem (Resolve-File $CaFile) 'CERTIFICATE') {
    [void] $authorities.Add((New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, $pem.Bytes)))
  }
  if ($authorities.Count -eq 0) { Stop-Agent 64 "$CaFile holds no certificate in PEM" }
  Add-Type -ReferencedAssemblies (Get-HttpAssemblies) -TypeDefinition @'
using System.Net.Http; using System.Net.Security; using System.Security.Cryptography.X509Certificates;
public sealed class TrustingHandler : HttpClientHandler {
  public TrustingHandler(X509Certificate2Collection authorities) {
    ServerCertificateCustomValidationCallback = (request, certificate, presented, errors) => {
      if (errors == SslPolicyErrors.None) return true;
      if ((errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != 0) return false;
      using (X509Chain chain = new X509Chain()) {
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        chain.ChainPolicy.ExtraStore.AddRange(authorities);
        foreach (X509ChainElement element in presented.ChainElements) chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        if (!chain.Build(certificate)) return false;
        string top = chain.ChainElements[chain.ChainElements.Count - 1].Certificate.Thumbprint;
        foreach (X509Certificate2 authority in authorities) if (authority.Thumbprint == top) return true;
        return false;
      }
    };
  }
}
'@
  return New-Object TrustingHandler $authorities
}

# .NET Framework has everything in two assemblies; PowerShell 7 finds what it references by itself.
function Get-HttpAssemblies {
  if ($PSVersionTable.PSVersion.Major -le 5) { return 'System', 'System.Net.Http' }
  return 'System.Net.Http', 'System.Net.Security', 'System.Net.Primitives', 'System.Security.Cryptography', 'System.Security.Cryptography.X509Certificates', 'System.Collections', 'System.Collections.NonGeneric', 'System.Runtime'
}

# Posts once. @returns Status (0 without an answer), Text, Trouble, and Date and RetryAfter as the answer says them
function Send-Once([hashtable] $Sender, [string] $Route, [string] $Type, [byte[]] $Body) {
  $uri = New-Object System.Uri ($Sender.Url.TrimEnd('/') + $Route)
  $request = New-Object System.Net.Http.HttpRequestMessage ([Net.Http.HttpMethod]::Post), $uri
  $request.Content = New-Object System.Net.Http.ByteArrayContent (, $Body)
  $request.Content.Headers.ContentType = New-Object System.Net.Http.Headers.MediaTypeHeaderValue $Type
  $headers = Get-SignedHeaders $Sender.Signer $Sender.KeyId $uri.AbsolutePath $Body ((Get-Now) + $Sender.ClockOffsetS)
  foreach ($name in $headers.Keys) { [void] $request.Headers.TryAddWithoutValidation($name, $headers[$name]) }
  $answer = @{ Status = 0; Text = ''; Trouble = ''; Date = $null; RetryAfter = '' }
  try {
    $response = $Sender.Client.SendAsync($request).GetAwaiter().GetResult()
    $answer.Status = [int] $response.StatusCode
    $answer.Date = $response.Headers.Date
    $values = $null
    if ($response.Headers.TryGetValues('Retry-After', [ref] $values)) { $answer.RetryAfter = @($values)[0] }
    $answer.Text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
  }
  catch {
    $inner = $_.Exception
    while ($null -ne $inner.InnerException) { $inner = $inner.InnerException }
    $answer.Status = 0
    $answer.Trouble = $inner.Message
  }
  finally { $request.Dispose() }
  return $answer
}

# Signs again with the server's time if it is that which the server may object to.
function Send-Request([hashtable] $Sender, [string] $Route, [string] $Type, [byte[]] $Body) {
  $answer = Send-Once $Sender $Route $Type $Body
  if ($answer.Status -ne 401 -or $Sender.ClockOffsetS -ne 0 -or $null -eq $answer.Date) { return $answer }
  $offsetS = $answer.Date.ToUnixTimeSeconds() - (Get-Now)
  if ([Math]::Abs($offsetS) -le $ClockToleranceS) { return $answer }
  Write-Note "the clock differs from the server's by $offsetS s"
  $Sender.ClockOffsetS = $offsetS
  return Send-Once $Sender $Route $Type $Body
}

# What a text holds as JSON; $null if it is none, or has not these members.
function Read-Answer([string] $Text) {
  try { $read = ConvertFrom-Json $Text } catch { return $null }
  return $read
}

function Read-Member($Object, [string] $Name) {
  if ($Object -is [psobject] -and $null -ne $Object.PSObject.Properties[$Name]) { return $Object.PSObject.Properties[$Name].Value }
  return $null
}

# What follows for one result. Only an answer in the bridge's own form counts: portals and proxies say 200 and 403 too.
# @returns whether it is settled
function Complete-Result([hashtable] $Sender, [string] $Name, [int] $Status, $Answer, [string] $Text) {
  $file = Join-Path $Sender.Spool $Name
  $runId = $Name.Substring($Name.IndexOf('-') + 1) -replace '\.json\z', ''
  if (200, 202 -contains $Status -and (Read-Member $Answer 'deliveryId') -is [string] -and (Read-Member $Answer 'runId') -ceq $runId) {
    [IO.File]::Delete($file)
    return $true
  }
  if (400, 403, 409, 413, 415, 422 -contains $Status -and "$(Read-Member $Answer 'type')".StartsWith('urn:runstate-bridge:problem:')) {
    $refused = Join-Path (Join-Path $Sender.Spool 'refused') $Name
    Write-Whole "$refused.answer" "$Text`n"
    Move-Over $file $refused
    $Sender.Refused = $true
    Write-Note "refused for good, see $refused.answer: $Text"
    return $true
  }
  return $false
}

# A file that is not the one line its name says, as a crash of the machine may leave it, would shift the answers of a batch.
function Set-UnreadableAside([hashtable] $Sender, [string[]] $Names) {
  $problem = '{"type":"urn:runstate-bridge:problem:unreadable","code":"unreadable"}'
  foreach ($name in $Names) {
    $file = Join-Path $Sender.Spool $name
    if (-not [IO.File]::Exists($file)) { continue }
    $text = [IO.File]::ReadAllText($file)
    $runId = $name.Substring($name.IndexOf('-') + 1) -replace '\.json\z', ''
    if ($text -match '\A\{[^\n]*\}\n\z' -and (Read-Member (Read-Answer $text) 'runId') -ceq $runId) { continue }
    [void] (Complete-Result $Sender $name 400 (Read-Answer $problem) $problem)
  }
}

function Send-One([hashtable] $Sender, [string] $Name) {
  $file = Join-Path $Sender.Spool $Name
  if (-not [IO.File]::Exists($file)) { return $true }
  $Sender.Last = Send-Request $Sender '/v1/run-results' 'application/json' ([IO.File]::ReadAllBytes($file))
  return Complete-Result $Sender $Name $Sender.Last.Status (Read-Answer $Sender.Last.Text) $Sender.Last.Text
}

# Several as one batch; if the whole batch is refused, each by itself, so that one does not hold up the others.
function Send-Batch([hashtable] $Sender, [string[]] $Names) {
  $body = New-Object System.IO.MemoryStream
  foreach ($name in $Names) {
    $bytes = [IO.File]::ReadAllBytes((Join-Path $Sender.Spool $name))
    $body.Write($bytes, 0, $bytes.Length)
  }
  $Sender.Last = Send-Request $Sender '/v1/run-results/batch' 'application/x-ndjson' $body.ToArray()
  if (400, 403, 409, 413, 415, 422 -contains $Sender.Last.Status) {
    foreach ($name in $Names) { if (-not (Send-One $Sender $name)) { return $false } }
    return $true
  }
  if ($Sender.Last.Status -ne 200) { return $false }
  # An array of receipts and problems, in order.
  $entries = @()
  if ($Sender.Last.Text.TrimStart().StartsWith('[')) { $entries = @(Read-Answer $Sender.Last.Text) }
  $areAllSettled = $true
  for ($i = 0; $i -lt $Names.Count; $i += 1) {
    $entry = $null
    if ($i -lt $entries.Count) { $entry = $entries[$i] }
    # A problem has its status as a number, a receipt the delivery's as a word.
    $status = Read-Member $entry 'status'
    if ($status -isnot [ValueType]) { $status = 200 }
    $text = ''
    if ($null -ne $entry) { $text = ConvertTo-Json $entry -Depth 8 -Compress }
    if (-not (Complete-Result $Sender $Names[$i] ([int] $status) $entry $text)) { $areAllSettled = $false }
  }
  return $areAllSettled
}

# The oldest: as many as fit into one batch.
function Get-Oldest([string] $Directory) {
  $batch = New-Object System.Collections.Generic.List[string]
  $used = [long] 0
  foreach ($name in (Get-Kept $Directory)) {
    $used += (New-Object System.IO.FileInfo (Join-Path $Directory $name)).Length
    if ($batch.Count -ge $MaxBatchEntries -or ($batch.Count -gt 0 -and $used -gt $MaxBatchBytes)) { break }
    $batch.Add($name)
  }
  return , $batch.ToArray()
}

# ---- When to send: SPOOL\not-before holds an instant, the backoff of the latest failure, and who chose the instant ----

function Read-NotBefore([string] $Directory) {
  $none = @{ At = [long] 0; BackoffS = [long] 0; ChosenBy = 'agent' }
  try { $text = [IO.File]::ReadAllText((Join-Path $Directory 'not-before')) } catch { return $none }
  if ($text -notmatch '\A([0-9]{1,10}) ([0-9]{1,10}) (server|agent)\s*\z') { return $none }
  return @{ At = [long] $Matches[1]; BackoffS = [Math]::Min([long] $Matches[2], $LongestBackoffS); ChosenBy = $Matches[3] }
}

# Half as long again as the one before, up to the longest. The first is random: a fleet's retries must not stay in step.
function Get-NextBackoffS([long] $LastS) {
  if ($LastS -eq 0) { return [long] ($FirstBackoffS + (Get-RandomBelow $FirstJitterS)) }
  return [long] [Math]::Min($LongestBackoffS, [Math]::Max($FirstBackoffS, [Math]::Floor($LastS * 1.5)))
}

# Whether it is time to send. The first send after failures waits at random, so that a fleet does not come back all at once.
function Wait-ForTurn([hashtable] $Sender, [bool] $IsPatient) {
  $notBefore = Read-NotBefore $Sender.Spool
  $Sender.BackoffS = $notBefore.BackoffS
  $aheadS = $notBefore.At - (Get-Now)
  if ($aheadS -gt 0 -and $aheadS -le $LongestWaitS -and ($IsPatient -or $notBefore.ChosenBy -ne 'agent')) {
    Write-Note "not to be sent within the next $aheadS s"
    return $false
  }
  if ($notBefore.BackoffS -gt 0 -and $IsPatient) { Start-Sleep -Seconds (Get-RandomBelow $notBefore.BackoffS) }
  return $true
}

# @returns seconds; -1 if the answer does not say how long to wait
function Get-RetryAfterS([hashtable] $Answer) {
  if ($Answer.RetryAfter -match '\A([0-9]{1,10})(\.[0-9]*)?\z') { return [long] $Matches[1] + 1 }
  $until = [DateTimeOffset]::MinValue
  if ([DateTimeOffset]::TryParseExact($Answer.RetryAfter, 'r', [Globalization.CultureInfo]::InvariantCulture, 'AssumeUniversal', [ref] $until)) {
    $now = Get-Now
    if ($null -ne $Answer.Date) { $now = $Answer.Date.ToUnixTimeSeconds() }
    return [Math]::Max([long] 0, $until.ToUnixTimeSeconds() - $now)
  }
  return [long] -1
}

# The jitter comes on top of the backoff, so that the longest one has it too.
function Save-Failure([hashtable] $Sender) {
  $Sender.BackoffS = Get-NextBackoffS $Sender.BackoffS
  $chosenBy = 'server'
  $waitS = Get-RetryAfterS $Sender.Last
  if ($waitS -lt 0) {
    $chosenBy = 'agent'
    $waitS = $Sender.BackoffS + (Get-RandomBelow $Sender.BackoffS)
  }
  $waitS = [Math]::Min($waitS, $LongestWaitS)
  Write-Whole (Join-Path $Sender.Spool 'not-before') "$((Get-Now) + $waitS) $($Sender.BackoffS) $chosenBy`n"
  Write-Note "kept, to be sent later: answer $($Sender.Last.Status) $($Sender.Last.Trouble)"
}

function Send-Kept([hashtable] $Sender) {
  for (; ; ) {
    Set-UnreadableAside $Sender (Get-Oldest $Sender.Spool)
    $names = Get-Oldest $Sender.Spool
    if ($names.Count -eq 0) { break }
    if ($names.Count -eq 1) { $isSettled = Send-One $Sender $names[0] } else { $isSettled = Send-Batch $Sender $names }
    if (-not $isSettled) { Save-Failure $Sender; return }
    $Sender.BackoffS = 0
  }
  [IO.File]::Delete((Join-Path $Sender.Spool 'not-before'))
}

# ---- What only Windows has ----

# The code page of consoles here.
function Get-OemCodePage {
  if ($IsOnWindows) { return [Globalization.CultureInfo]::CurrentCulture.TextInfo.OEMCodePage }
  return 65001
}

function Read-Registry([string] $Path, [string] $Name) {
  if (-not $IsOnWindows) { return $null }
  $item = Get-ItemProperty -Path $Path -Name $Name -ErrorAction SilentlyContinue
  if ($null -eq $item) { return $null }
  return $item.$Name
}

# The keys below a key, by name.
function Get-RegistryKeys([string] $Path) {
  if (-not $IsOnWindows) { return @() }
  return @(Get-ChildItem -Path $Path -ErrorAction SilentlyContinue | ForEach-Object { $_.PSChildName })
}

# All certificates of the machine; newer ones first.
function Get-StoreCertificates {
  if (-not $IsOnWindows) { return @() }
  $store = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
  $store.Open('ReadOnly')
  try { return @($store.Certificates | Sort-Object NotAfter -Descending) }
  finally { $store.Close() }
}

function Unprotect-Bytes([byte[]] $Bytes) {
  if (-not $IsOnWindows) { throw 'DPAPI is on Windows alone' }
  Add-Type -AssemblyName System.Security
  return , [Security.Cryptography.ProtectedData]::Unprotect($Bytes, $null, [Security.Cryptography.DataProtectionScope]::LocalMachine)
}

# For its owner alone: on Windows the system, administrators and who runs this.
function Protect-Directory([string] $Directory) {
  if (-not $IsOnWindows) {
    & chmod 700 $Directory
    return
  }
  $access = New-Object System.Security.AccessControl.DirectorySecurity
  $access.SetAccessRuleProtection($true, $false)
  $own = [Security.Principal.WindowsIdentity]::GetCurrent().User.Value
  foreach ($sid in @('S-1-5-18', 'S-1-5-32-544', $own) | Select-Object -Unique) {
    $who = New-Object System.Security.Principal.SecurityIdentifier $sid
    $access.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule $who, 'FullControl', 'ContainerInherit,ObjectInherit', 'None', 'Allow'))
  }
  Set-Acl -LiteralPath $Directory -AclObject $access
}

# ---- What is known of this device ----

$JoinInfo = 'HKLM:\SYSTEM\CurrentControlSet\Control\CloudDomainJoin\JoinInfo'
$CurrentVersion = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'

function Get-OsVersion {
  $revision = Read-Registry $CurrentVersion 'UBR'
  if ($null -ne $revision) { return "10.0.$(Read-Registry $CurrentVersion 'CurrentBuildNumber').$revision" }
  return [Environment]::OSVersion.Version.ToString()
}

# Who joined the device to Entra; not the accounts that Autopilot and packages use.
function Get-PrimaryUser {
  foreach ($key in Get-RegistryKeys $JoinInfo) {
    $upn = Read-Registry "$JoinInfo\$key" 'UserEmail'
    if ($upn -match '\A[^@\s]+@[^@\s]+\z' -and $upn -notmatch '\A(fooUser@|package_)') { return $upn }
  }
  return ''
}

function Find-StoreCertificate([scriptblock] $Where) {
  $now = Get-Date
  foreach ($one in Get-StoreCertificates) {
    if ($one.HasPrivateKey -and $one.NotBefore -le $now -and $one.NotAfter -ge $now -and (& $Where $one)) { return $one }
  }
  return $null
}

# The join registry names a key by a thumbprint, which is not always that of the certificate in use: that one is found by its
# issuer and its subject, a device id. If there are several, the registry's own wins, then the newest.
function Find-EntraCertificate {
  $isOfEntra = { param($one) $one.Issuer -match '(?:\A|[,+ ])CN=MS-Organization-Access(?:[,+ ]|\z)' -and $one.Subject -match '\ACN=[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z' }
  $keys = Get-RegistryKeys $JoinInfo
  $registered = Find-StoreCertificate { param($one) $keys -contains $one.Thumbprint -and (& $isOfEntra $one) }
  if ($null -ne $registered) { return $registered }
  return Find-StoreCertificate $isOfEntra
}

function Find-IntuneCertificate {
  return Find-StoreCertificate { param($one) $one.Issuer -match 'CN=Microsoft Intune( Windows)? MDM Device CA(,|\z)' }
}

# ---- From beginning to end ----

function Invoke-Agent([object[]] $Arguments) {
  Read-Arguments $Arguments
  $settings = $script:Settings
  Assert-Sender $settings
  if ($script:Action -ne 'Send') { Assert-Run $settings }
  $signer = Open-Signer $settings
  if ($settings.DeviceId -eq '') { $settings.DeviceId = $signer.DeviceId }
  if (-not (Test-Id $settings.DeviceId)) { Stop-Agent 64 'a device id has 1 to 128 characters of A-Z a-z 0-9 . _ -' }
  $keyId = $settings.DeviceId
  if ($settings.Tenant -ne '') { $keyId = "$($settings.Tenant)/$keyId" }
  $spool = Resolve-File $settings.Spool
  $sender = @{ Url = $settings.Url; Spool = $spool; Signer = $signer; KeyId = $keyId; ClockOffsetS = 0; BackoffS = [long] 0; Refused = $false; Last = $null; Client = $null }
  if ($settings.CaFile -ne '') { $sender.Client = New-HttpClient $settings }
  Open-Spool $spool
  $script:UnforeseenCode = 73

  $toolExitCode = 0
  if ($script:Action -eq 'Run') {
    $printed = Invoke-Tool $script:Command
    $toolExitCode = $printed.ExitCode
    $settings.ExitCode = [string] $toolExitCode
    Save-Result $spool $settings $printed
  }
  if ($script:Action -eq 'Add') { Save-Result $spool $settings @{ Output = (Read-Printed $settings.Output); Error = (Read-Printed $settings.Error) } }

  $script:UnforeseenCode = 75
  Remove-Old $spool $settings
  Remove-Old (Join-Path $spool 'refused') $settings
  if ((Get-Kept $spool).Count -gt 0) { Send-InTurn $sender $settings }
  if ($settings.PassExitCode -and $script:Action -eq 'Run') { return $toolExitCode }
  if ($sender.Refused) { return 65 }
  if ((Get-Kept $spool).Count -gt 0) { return 75 }
  return 0
}

# @returns the exit code. An error that nobody foresaw must not say that a result is kept which is not.
function Start-Agent([object[]] $Arguments) {
  $script:UnforeseenCode = 64
  try { return Invoke-Agent $Arguments }
  catch {
    Write-Note $_.Exception.Message
    if ($_.Exception.Data.Contains('ExitCode')) { return $_.Exception.Data['ExitCode'] }
    return $script:UnforeseenCode
  }
}

function Send-InTurn([hashtable] $Sender, [hashtable] $Settings) {
  $lock = Lock-Spool $Sender.Spool
  if ($null -eq $lock) { return }
  try {
    if (-not (Wait-ForTurn $Sender (-not $Settings.NoWait))) { return }
    if ($null -eq $Sender.Client) { $Sender.Client = New-HttpClient $Settings }
    Send-Kept $Sender
  }
  finally { $lock.Dispose() }
}

# The content of a file or of standard input; of what is too long, head and tail.
function Read-Printed([string] $File) {
  $kept = New-KeptBytes
  if ($File -eq '') { return Get-KeptBytes $kept }
  try {
    if ($File -eq '-') { $stream = [Console]::OpenStandardInput() } else { $stream = [IO.File]::OpenRead((Resolve-File $File)) }
    $buffer = New-Object byte[] 65536
    try { while (($count = $stream.Read($buffer, 0, $buffer.Length)) -gt 0) { Add-KeptBytes $kept $buffer $count } }
    finally { $stream.Dispose() }
  }
  catch { Stop-Agent 64 "cannot read ${File}: $($_.Exception.Message)" }
  return Get-KeptBytes $kept
}

$script:Settings = New-Settings
$script:Action = ''
$script:Command = @()
$script:UnforeseenCode = 64
# For tests: dot-sourced, this file only defines its functions.
if ($MyInvocation.InvocationName -eq '.') { return }

exit (Start-Agent $args)
