// The sandbox's default tenant: fixed ids, two apps, three hardware configurations.
import type { HardwareConfiguration, Identity } from '../state.ts';

export const defaultIdentity: Identity = {
  tenantId: '6f0c7c1e-52a4-4d0b-9d3a-2b8e9a1f7c40',
  clientId: 'b3a1d9e2-0c47-4f6a-8a55-71d2e6c90f18',
  clientSecret: 'Qm8~sandbox~only~9rT2vK5xW7yZ1aB3cD4eF6',
  directoryApp: {
    clientId: '4c9e2f10-6b7d-4a83-9f15-0d3e8b62a7c1',
    clientSecret: 'Dv3~sandbox~only~4pL8nR2tY6uH0jK5mB9xQ1c',
  },
  managedIdentityHeader: '853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a',
};

export const defaultConfigurations: readonly HardwareConfiguration[] = [
  {
    id: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81',
    displayName: 'Dell BIOS baseline',
    description: 'Secure Boot, TPM and virtualisation on, boot from USB off',
    hardwareConfigurationFormat: 'dell',
    fileName: 'dell-baseline.cctk',
    version: 4,
  },
  {
    id: '2e6d9b63-8f10-4a2c-8b7e-4d3c2f10ab92',
    displayName: 'HP BIOS baseline',
    description: 'The same baseline for HP business notebooks',
    fileName: 'hp-baseline.txt',
    version: 7,
  },
  {
    id: '3f7eac74-9021-4b3d-9c8f-5e4d3021bca3',
    displayName: 'Lenovo BIOS baseline',
    description: 'The same baseline for ThinkPads',
    fileName: 'lenovo-baseline.ini',
    version: 2,
  },
];
