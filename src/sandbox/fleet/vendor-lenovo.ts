// Lenovo: a script that calls Lenovo_SetBiosSetting and Lenovo_SaveBiosSettings over WMI, which return text.
import { pick, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';
import type { Course, Machine, VendorRun } from './vendor-run.ts';

export const lenovoModels = [
  'ThinkPad T14 Gen 4',
  'ThinkPad X1 Carbon',
  'ThinkCentre M70q',
  'ThinkStation P3',
] as const;

const settings = [
  'SecureBoot,Enable',
  'SecurityChip,Enable',
  'VirtualizationTechnology,Enable',
  'WakeOnLAN,ACOnly',
] as const;

const refusals = ['Access Denied', 'Invalid Parameter', 'System Busy'] as const;

/** One run of the script on a Lenovo machine. */
export function runLenovo(random: Random, course: Course, machine: Machine): VendorRun {
  const header = `Win32_ComputerSystemProduct: ${machine.model}, Seriennummer ${machine.serial}\n`;
  const applied = settings.map((setting) => `Lenovo_SetBiosSetting("${setting}"): Success`).join('\n');
  switch (course) {
    case 'success':
      return { exitCode: 0, output: `${header}${applied}\nLenovo_SaveBiosSettings: Success` };
    case 'reboot-pending':
      return { exitCode: 3010, output: `${header}${applied}\nÄnderungen werden nach dem Neustart wirksam.` };
    case 'fail': {
      const refusal = pick(random, refusals);
      const output = `${header}Lenovo_SetBiosSetting("${pick(random, settings)}"): ${refusal}`;
      return { exitCode: 1, output, error: `Lenovo_SaveBiosSettings: ${refusal}` };
    }
    case 'script-error':
      return {
        state: 'scriptError',
        error: `Get-WmiObject : Zugriff verweigert (HRESULT 0x8007${wholeNumber(random, 4096, 65535).toString(16)})`,
      };
    case 'not-applicable':
      return { state: 'notApplicable', output: `${header}Lenovo_SetBiosSetting("SecureBoot,Enable"): Not Supported` };
  }
}
