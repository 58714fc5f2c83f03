// HP: a remediation script with the HP Client Management Script Library and BiosConfigUtility's return codes.
import { pick, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';
import type { Course, Machine, VendorRun } from './vendor-run.ts';

export const hpModels = ['EliteBook 840 G10', 'ProBook 450 G9', 'EliteDesk 800 G6', 'ZBook Firefly 14'] as const;

const settings = [
  'Secure Boot',
  'TPM Activation Policy',
  'Virtualization Technology (VTx)',
  'Wake On LAN',
  'USB Storage Boot',
] as const;

const failures = [
  { exitCode: 10, error: 'Valid password not provided.' },
  { exitCode: 13, error: "La valeur du paramètre « Secure Boot » n'a pas été modifiée." },
  { exitCode: 32, error: 'Invalid argument: setting "Fast Boot" was not found.' },
] as const;

/** One run of the script on an HP machine. */
export function runHp(random: Random, course: Course, machine: Machine): VendorRun {
  const header = `Get-HPDeviceModel: HP ${machine.model}\nGet-HPBIOSVersion: 01.${wholeNumber(random, 10, 24)}.00\n`;
  const applied = settings.map((setting) => `Set-HPBIOSSettingValue -Name "${setting}": 0`).join('\n');
  switch (course) {
    case 'success':
      return {
        exitCode: 0,
        output: `${header}${applied}\nRemediation terminée – ${settings.length} réglages, 0 échec`,
      };
    case 'reboot-pending':
      return { exitCode: 3010, output: `${header}${applied}\nPhysical presence prompt follows at restart.` };
    case 'fail': {
      const { exitCode, error } = pick<(typeof failures)[number]>(random, failures);
      return { exitCode, output: `${header}BIOSConfigUtility64.exe returned ${exitCode}`, error };
    }
    case 'script-error':
      return {
        state: 'scriptError',
        output: header,
        error:
          'Set-HPBIOSSettingValue : Invalid namespace "root\\HP\\InstrumentedBIOS"\n' +
          `At C:\\Windows\\IMECache\\HealthScripts\\remediate.ps1:${wholeNumber(random, 20, 90)} char:9`,
      };
    case 'not-applicable':
      return { state: 'notApplicable', output: `${header}This platform is not in the supported list (return code 2).` };
  }
}
