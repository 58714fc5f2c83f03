# Installs, updates or removes the agent on Windows: its file, its configuration, and a task that sends what is kept every 15
# minutes as SYSTEM. Run as administrator, or as a Win32 app with the agent's file beside this one.
#   install.ps1 -Url https://bridge.contoso.com [-Certificate Entra | Intune | THUMBPRINT]     installs or updates
#   install.ps1 -Url https://bridge.contoso.com -DeviceId ID -Key BASE64                       with a derived key, protected by DPAPI
#   install.ps1 -Remove                                                                        what is not sent stays
param([string] $Url = '', [string] $Certificate = 'Entra', [string] $DeviceId = '', [string] $Key = '', [switch] $Remove)
$ErrorActionPreference = 'Stop'

$directory = Join-Path $env:ProgramData 'runstate-agent'
$taskName = 'runstate-agent'

if ($Remove) {
  Unregister-ScheduledTask -TaskName $taskName -Confirm:$false -ErrorAction SilentlyContinue
  Remove-Item -LiteralPath (Join-Path $directory 'report-run.ps1'), (Join-Path $directory 'agent.conf'), (Join-Path $directory 'device.key') -ErrorAction SilentlyContinue
  Write-Output "removed; results that are not sent stay in $directory\spool"
  exit 0
}
if ($Url -eq '') { throw 'say where the bridge is: -Url https://bridge.contoso.com' }

# Only the system and administrators may change what SYSTEM runs. Anybody may make a folder in ProgramData, and whoever owns it
# decides who may write there, whatever is set below.
if (Test-Path -LiteralPath $directory) {
  $owner = (Get-Acl -LiteralPath $directory).GetOwner([System.Security.Principal.SecurityIdentifier]).Value
  $isLink = ((Get-Item -LiteralPath $directory -Force).Attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0
  if ($isLink -or 'S-1-5-18', 'S-1-5-32-544' -notcontains $owner) { throw "$directory is a link, or belongs to ${owner}: look what it is, and remove it or give it to Administrators" }
}
[void] (New-Item -ItemType Directory -Path $directory -Force)
$access = New-Object System.Security.AccessControl.DirectorySecurity
$access.SetAccessRuleProtection($true, $false)
foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
  $who = New-Object System.Security.Principal.SecurityIdentifier $sid
  $access.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule $who, 'FullControl', 'ContainerInherit,ObjectInherit', 'None', 'Allow'))
}
$access.SetOwner((New-Object System.Security.Principal.SecurityIdentifier 'S-1-5-32-544'))
Set-Acl -LiteralPath $directory -AclObject $access

$source = @($PSScriptRoot, (Split-Path $PSScriptRoot)) | ForEach-Object { Join-Path $_ 'report-run.ps1' } | Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
if ($null -eq $source) { throw 'report-run.ps1 is not beside this script' }
Copy-Item -LiteralPath $source -Destination $directory -Force

$lines = @("Url=$Url", "Spool=$directory\spool")
if ($Key -eq '') { $lines += "Certificate=$Certificate" }
else {
  Add-Type -AssemblyName System.Security
  $protected = [Security.Cryptography.ProtectedData]::Protect([Convert]::FromBase64String($Key), $null, [Security.Cryptography.DataProtectionScope]::LocalMachine)
  [IO.File]::WriteAllText((Join-Path $directory 'device.key'), 'dpapi:' + [Convert]::ToBase64String($protected))
  $lines += "DeviceId=$DeviceId", "KeyFile=$directory\device.key"
}
[IO.File]::WriteAllLines((Join-Path $directory 'agent.conf'), [string[]] $lines)

$action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$directory\report-run.ps1`" -Action Send -Quiet -Config `"$directory\agent.conf`""
$trigger = New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 15) -RandomDelay (New-TimeSpan -Minutes 5)
$principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew
[void] (Register-ScheduledTask -TaskName $taskName -Action $action -Trigger $trigger -Principal $principal -Settings $settings -Force)
Write-Output "installed in $directory; the task $taskName sends every 15 minutes"
