# Runs the PowerShell agent's functions on the shared vectors and on stand-ins for what only Windows has; prints one JSON object.
param([string] $Agent, [string] $Vectors, [string] $Directory)
$ErrorActionPreference = 'Stop'
. $Agent
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$result = [ordered] @{}
function Read-Vectors([string] $Name) { return ConvertFrom-Json ([IO.File]::ReadAllText((Join-Path $Vectors $Name))) }
function ConvertTo-Base64([string] $Text) { return [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($Text)) }

# ---- Vectors. Texts are compared as UTF-16 in base64, so that nothing on the way changes them ----

$result.masking = @(Read-Vectors 'masking.json' | ForEach-Object { ConvertTo-Base64 (Hide-BiosPassword $_.input) })
$result.maskedTwice = @(Read-Vectors 'masking.json' | ForEach-Object { ConvertTo-Base64 (Hide-BiosPassword $_.output) })
$encodings = Read-Vectors 'encodings.json'
$result.texts = @($encodings.texts | ForEach-Object {
    $codePage = 65001
    if ($null -ne $_.PSObject.Properties['codePage']) { $codePage = $_.codePage }
    ConvertTo-Base64 (ConvertTo-ReportedText ([Convert]::FromBase64String($_.bytes)) $codePage)
  })
$result.caps = @($encodings.caps | ForEach-Object {
    $printed = New-Object System.IO.MemoryStream
    foreach ($part in $_.parts) {
      $bytes = [Convert]::FromBase64String($part.bytes)
      for ($i = 0; $i -lt $part.times; $i += 1) { $printed.Write($bytes, 0, $bytes.Length) }
    }
    ConvertTo-Base64 (ConvertTo-ReportedText $printed.ToArray())
  })
$result.exitCodes = @((Read-Vectors 'exit-codes.json').accepted | ForEach-Object {
    $settings = New-Settings
    $settings.RunId = 'run'; $settings.DeviceId = 'device'; $settings.PolicyVersion = '4'; $settings.Configuration = 'guid'; $settings.DeviceName = 'PC'
    if ($null -ne $_.PSObject.Properties['exitCode']) { $settings.ExitCode = $_.exitCode }
    if ($null -ne $_.PSObject.Properties['state']) { $settings.State = $_.state }
    ConvertTo-Result $settings @{ Output = (ConvertTo-Printed ([byte[]] @())); Error = (ConvertTo-Printed ([byte[]] @())) }
  })

$signatures = Read-Vectors 'signatures.json'
$signers = @{}
foreach ($key in $signatures.keys.PSObject.Properties) {
  $settings = New-Settings
  $file = Join-Path $Directory $key.Name
  if ($null -ne $key.Value.PSObject.Properties['deviceKey']) {
    [IO.File]::WriteAllText($file, $key.Value.deviceKey)
    $settings.KeyFile = $file
  }
  else {
    [IO.File]::WriteAllText("$file.pem", $key.Value.certificate)
    [IO.File]::WriteAllText("$file.key", $key.Value.privateKey)
    $settings.Certificate = "$file.pem"
    $settings.PrivateKey = "$file.key"
  }
  $signers[$key.Name] = Open-Signer $settings
}
$result.signatures = @($signatures.requests | ForEach-Object {
    if ($_.method -ne 'POST') { return $null }
    $keyId = $_.deviceId
    if ($null -ne $_.PSObject.Properties['tenant']) { $keyId = "$($_.tenant)/$keyId" }
    $body = [Text.Encoding]::UTF8.GetBytes($_.body)
    $headers = Get-SignedHeaders $signers[$_.key] $keyId (New-Object System.Uri $_.url).AbsolutePath $body $_.created
    $parameters = $headers['Signature-Input'].Substring(7)
    $base = Get-SignatureBase $signers[$_.key] (New-Object System.Uri $_.url).AbsolutePath $headers['Content-Digest'] $parameters
    @{ headers = $headers; base = $base }
  })

$result.shortened = ConvertTo-ReportedText ([Text.Encoding]::ASCII.GetBytes(("cctk --setuppwd=" + 'x' * 2000 + "`n") * 60))

# ---- When to send ----

$result.backoff = @(0, 1, 10, 15, 22, 366, 700, 5000 | ForEach-Object { Get-NextBackoffS $_ })
$date = [DateTimeOffset] '2026-11-29T06:00:00Z'
$result.retryAfter = @('0', '17', '1.5', 'Sun, 29 Nov 2026 06:01:30 GMT', 'Sun, 29 Nov 2026 05:00:00 GMT', 'soon', '', '-1' |
    ForEach-Object { Get-RetryAfterS @{ RetryAfter = $_; Date = $date } })

# ---- Arguments of a command, as another program gets them ----

$arguments = @('plain', 'two  words', '', 'q"uote', 'back\slash', 'ends in \', 'a\\"b', '"', '\\\', 'ö€')
$show = Join-Path $Directory 'show.ps1'
[IO.File]::WriteAllText($show, '[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false; foreach ($a in $args) { "<$a>" }; [Console]::Error.Write("said"); exit 3')
$printed = Invoke-Tool (@($show) + $arguments)
$result.arguments = @{ exitCode = $printed.ExitCode; error = [Text.Encoding]::UTF8.GetString($printed.Error.Bytes); output = @([Text.Encoding]::UTF8.GetString($printed.Output.Bytes) -split "`r?`n" | Where-Object { $_ -ne '' }) }
$result.given = $arguments
$result.missing = (Invoke-Tool @('there-is-no-such-program')).ExitCode

# ---- Stand-ins for Windows ----

function New-StandIn([string] $Subject, [string] $Issuer, [int] $Days = 30, [bool] $HasKey = $true) {
  return [pscustomobject] @{ Subject = $Subject; Issuer = $Issuer; HasPrivateKey = $HasKey; NotBefore = (Get-Date).AddDays(-1); NotAfter = (Get-Date).AddDays($Days); Thumbprint = "$Subject $Days" }
}
$id = '00000000-0000-4000-8000-00000000000'
$entra = 'CN=MS-Organization-Access, DC=windows, DC=net + CN=MS-Organization-Access'.Split('+')[0].Trim()
$script:certificates = @()
$script:registry = @()
function Get-StoreCertificates { return $script:certificates }
function Get-RegistryKeys([string] $Path) { return $script:registry }
function Find-One([object[]] $Certificates, [object[]] $Registry = @()) {
  $script:certificates = $Certificates
  $script:registry = $Registry
  $found = Find-EntraCertificate
  if ($null -eq $found) { return 'none' }
  return $found.Subject
}
$result.entra = [ordered] @{
  'the only one'               = Find-One @((New-StandIn "CN=${id}1" $entra))
  'older form of the issuer'   = Find-One @((New-StandIn "CN=${id}1" 'CN=MS-Organization-Access'))
  'another issuer'             = Find-One @((New-StandIn "CN=${id}1" 'CN=MS-Organization-P2P-Access [2026]'))
  'a name that is no id'       = Find-One @((New-StandIn 'CN=LAPTOP-1' $entra))
  'without its private key'    = Find-One @((New-StandIn "CN=${id}1" $entra 30 $false))
  'expired'                    = Find-One @((New-StandIn "CN=${id}1" $entra 0))
  'the newer of two'           = Find-One @((New-StandIn "CN=${id}2" $entra 60), (New-StandIn "CN=${id}1" $entra 30))
  'the one the registry names' = Find-One @((New-StandIn "CN=${id}2" $entra 60), (New-StandIn "CN=${id}1" $entra 30)) @("CN=${id}1 30")
  'a registry that is wrong'   = Find-One @((New-StandIn "CN=${id}2" $entra 60), (New-StandIn "CN=${id}1" $entra 30)) @('0123')
}
$script:certificates = @((New-StandIn 'CN=a' 'CN=Contoso'), (New-StandIn 'CN=b' 'CN=Microsoft Intune MDM Device CA'))
$result.intune = (Find-IntuneCertificate).Subject
function Read-Registry([string] $Path, [string] $Name) {
  $values = @{ UBR = 4317; CurrentBuildNumber = '22631' }
  if ($Name -eq 'UserEmail') { return @{ A = 'fooUser@contoso.com'; B = 'ada@contoso.com' }[$Path.Substring($Path.Length - 1)] }
  return $values[$Name]
}
$script:registry = @('A', 'B')
$result.osVersion = Get-OsVersion
$result.primaryUser = Get-PrimaryUser
function Unprotect-Bytes([byte[]] $Bytes) { return , [byte[]] ($Bytes | ForEach-Object { $_ -bxor 1 }) }
$protected = [byte[]] (1..32)
[IO.File]::WriteAllText((Join-Path $Directory 'protected'), 'dpapi:' + [Convert]::ToBase64String([byte[]] ($protected | ForEach-Object { $_ -bxor 1 })))
$result.protectedKey = (Read-Key (Join-Path $Directory 'protected')) -join ','

# ---- Only what Windows PowerShell 5.1 and .NET Framework 4.7.2 know ----

$result.newer = @(foreach ($file in @($Agent) + @(Get-ChildItem (Join-Path (Split-Path $Agent) 'intune') -Filter *.ps1 | ForEach-Object { $_.FullName })) {
    $tokens = $null
    $faults = $null
    $tree = [Management.Automation.Language.Parser]::ParseFile($file, [ref] $tokens, [ref] $faults)
    foreach ($fault in $faults) { "$($fault.Extent.StartLineNumber): $($fault.Message)" }
    $found = $tree.FindAll({
        param($node)
        $kind = $node.GetType().Name
        $kind -in 'TernaryExpressionAst', 'PipelineChainAst', 'TypeDefinitionAst', 'UsingStatementAst' -or
        ($kind -eq 'BinaryExpressionAst' -and $node.Operator -eq 'QuestionQuestion') -or
        ($kind -eq 'AssignmentStatementAst' -and $node.Operator -eq 'QuestionQuestionEquals') -or
        ($kind -in 'MemberExpressionAst', 'InvokeMemberExpressionAst', 'IndexExpressionAst' -and $node.NullConditional) -or
        ($kind -eq 'PipelineAst' -and $node.Background) -or
        ($kind -eq 'CommandParameterAst' -and $node.ParameterName -in 'SkipHttpErrorCheck', 'AsHashtable', 'SkipCertificateCheck', 'Parallel', 'AsByteStream', 'NoEmptyLines', 'SslProtocol', 'Form', 'Authentication', 'StatusCodeVariable') -or
        ($kind -eq 'InvokeMemberExpressionAst' -and "$($node.Member)" -in 'ImportFromPem', 'CreateFromPem', 'CreateFromPemFile', 'ToHexString', 'FromHexString', 'HashData', 'GetRelativePath', 'Fill', 'GetInt32', 'ImportPkcs8PrivateKey', 'ImportRSAPrivateKey', 'ImportECPrivateKey', 'SetUnixFileMode', 'WaitAsync', 'ReadAsStream') -or
        ($kind -eq 'VariableExpressionAst' -and "$($node.VariablePath)" -in 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR', 'PSStyle')
      }, $true)
    foreach ($node in $found) { "$($node.Extent.StartLineNumber): $($node.Extent.Text)" }
  })

ConvertTo-Json $result -Depth 8 -Compress
