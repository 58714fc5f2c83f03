// Dell: Dell Command | Endpoint Configure applies a .cctk file with the light CCTK command line.
import { pick, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';
import type { Course, Machine, VendorRun } from './vendor-run.ts';

export const dellModels = ['Latitude 5440', 'Latitude 7450', 'OptiPlex 7010', 'Precision 3581'] as const;

const settings = [
  'SecureBoot=Enabled',
  'TpmSecurity=Enabled',
  'Virtualization=Enable',
  'VtForDirectIo=Enabled',
  'UsbEmu=Disabled',
  'WakeOnLan=LanOnly',
  'AutoOn=Disabled',
  'BlockSleep=Disabled',
] as const;

const failures = [
  { exitCode: 58, error: 'The setup password provided is incorrect. Please try again.' },
  { exitCode: 65, error: 'Setup password is required to change the setting. Use --ValSetupPwd.' },
  { exitCode: 41, error: 'SecureBoot: The option is not available while the boot mode is Legacy.' },
] as const;

/** One run of the tool on a Dell machine. */
export function runDell(random: Random, course: Course, machine: Machine): VendorRun {
  const name = 'C:\\ProgramData\\Dell\\EndpointConfigure\\dell-baseline.cctk';
  const header = `Dell Command | Configure 5.1.0 - ${machine.model} (${machine.serial})\r\nImporting ${name}\r\n`;
  const applied = settings.map((setting) => `${setting}  : set successfully`).join('\r\n');
  switch (course) {
    case 'success':
      return {
        exitCode: 0,
        output: `${header}${applied}\r\n${settings.length} of ${settings.length} options applied.`,
      };
    case 'reboot-pending':
      return { exitCode: pick(random, [3010, 1641]), output: `${header}${applied}\r\nA restart is required.` };
    case 'fail': {
      const { exitCode, error } = pick<(typeof failures)[number]>(random, failures);
      return { exitCode, output: `${header}cctk.exe --infile=${name} --valsetuppwd=Sommer-2024!`, error };
    }
    case 'script-error':
      return {
        state: 'scriptError',
        error: `Dell.EndpointConfigure.WinServiceAgent: cctk.exe ended unexpectedly (0x${wholeNumber(random, 1, 0xffff).toString(16)})`,
      };
    case 'not-applicable':
      return { state: 'notApplicable', output: `${header}SecureBoot: not supported on this platform.` };
  }
}
