# The PowerShell agent with the clock of a device of the campaign, and with short waits: a week passes in a minute.
. (Join-Path $PSScriptRoot '../../src/agent/report-run.ps1')
function Get-Now { return [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() + [long] [IO.File]::ReadAllText($env:CAMPAIGN_CLOCK) }
function Start-Sleep { [Threading.Thread]::Sleep(50) }
exit (Start-Agent $args)
