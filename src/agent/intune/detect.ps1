# The detection script of an Intune remediation: whether this device still has to run the configuration, or to send a result.
# Intune shows the last line; it takes anything on standard error for a failed script. Exit code 1: remediate.ps1 is to run.

# The same in both scripts.
$Configuration = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81'
$PolicyVersion = 4
$Directory = Join-Path $env:ProgramData 'runstate-agent'

try {
  $spool = Join-Path $Directory 'spool'
  $waiting = @(Get-ChildItem -LiteralPath $spool -Filter '*.json' -ErrorAction SilentlyContinue).Count
  $refused = @(Get-ChildItem -LiteralPath (Join-Path $spool 'refused') -Filter '*.json' -ErrorAction SilentlyContinue).Count
  $hasRun = Test-Path -LiteralPath (Join-Path $Directory "done-$Configuration-$PolicyVersion")
  $code = 0
  $said = "version $PolicyVersion has run"
  if (-not $hasRun) { $said = "version $PolicyVersion has not run"; $code = 1 }
  if ($waiting -gt 0) { $said += ", $waiting to send"; $code = 1 }
  if ($refused -gt 0) { $said += ", $refused refused for good" }
}
catch {
  $said = "cannot tell: $($_.Exception.Message)"
  $code = 1
}
$line = $said -replace '\s+', ' '
# Intune keeps 2,048 characters.
Write-Output $line.Substring(0, [Math]::Min(2000, $line.Length))
exit $code
