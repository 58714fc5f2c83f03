# The PowerShell agent in one process, again and again: reads an invocation a line, the clock's error in seconds
# and the arguments with tabs between them, and prints what became of it as JSON.
param([string] $Agent)
$ErrorActionPreference = 'Stop'
. $Agent
$script:clockAheadS = 0
$script:said = @()
function Get-Now { return [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() + $script:clockAheadS }
function Start-Sleep { }
function Write-Note([string] $Message) { if (-not $script:Settings.Quiet) { $script:said += $Message } }

while ($null -ne ($line = [Console]::In.ReadLine())) {
  $clockAheadS, $arguments = $line.Split("`t")
  $script:clockAheadS = [long] $clockAheadS
  $script:said = @()
  $code = Start-Agent @($arguments)
  [Console]::Out.WriteLine((ConvertTo-Json @{ code = $code; said = $script:said -join "`n" } -Compress))
}
