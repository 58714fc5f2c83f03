# The remediation script of an Intune remediation: runs the tool once for each version of the policy, and reports how it went.
# install.ps1 put the agent and its configuration on the device. Nothing goes to standard error: Intune takes that for failure.

# The same in both scripts.
$Configuration = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81'
$PolicyVersion = 4
$Directory = Join-Path $env:ProgramData 'runstate-agent'

# What configures the device: a program or a PowerShell script, and its arguments.
$Tool = 'C:\Program Files (x86)\Dell\Command Configure\X86_64\cctk.exe'
$Arguments = @('-i', 'C:\ProgramData\bios-policy\policy.cctk')

try {
  $agent = Join-Path $Directory 'report-run.ps1'
  $settings = @('-Config', (Join-Path $Directory 'agent.conf'), '-Quiet')
  $done = Join-Path $Directory "done-$Configuration-$PolicyVersion"
  if (Test-Path -LiteralPath $done) {
    & $agent -Action Send @settings
  }
  else {
    & $agent -Action Run @settings -Configuration $Configuration -PolicyVersion $PolicyVersion '--' $Tool @Arguments
    # 64 and 73: nothing was kept, so it runs again.
    if (0, 65, 75 -contains $LASTEXITCODE) { [void] (New-Item -ItemType File -Path $done -Force) }
  }
  $code = $LASTEXITCODE
  $said = @{
    0  = "version $PolicyVersion is reported"
    65 = "version $PolicyVersion ran, but a result was refused for good: see $Directory\spool\refused"
    75 = "version $PolicyVersion ran; its result is kept and sent later"
    64 = 'the agent is not set up as it should be: run it without -Quiet'
    73 = "the spool cannot be written: $Directory\spool"
  }[$code]
}
catch {
  $code = 1
  $said = $_.Exception.Message
}
Write-Output ("$said" -replace '\s+', ' ')
if (0, 75 -contains $code) { exit 0 }
exit 1
