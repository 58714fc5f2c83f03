// Run results as sent to the first version, and the fingerprints it made of them: recorded from that version, never regenerated.

/** Its PAYLOAD_KEYS, if it had any: 32 bytes of 1. */
export const FIRST_PAYLOAD_KEY = Buffer.alloc(32, 1);

export type FirstRecord = { what: string; sent: Record<string, unknown>; plain: string; keyed: string };

const base = {
  runId: 'run-1',
  deviceId: 'BER-LAT-0001',
  hardwareConfigurationId: '0B7F0e7a-3f5e-4c8e-9a53-3a1f5d2c7e01',
  deviceName: 'BER-LAT-0001',
  policyVersion: 4,
  completedAt: '2026-11-20T10:00:00.1234500+01:00',
};

export const FIRST_RECORDS: FirstRecord[] = [
  {
    what: 'nothing masked',
    sent: { ...base, exitCode: 0, output: 'Änderungen übernommen' },
    plain: 'e-1sSm8TH9Nv2diKR03mVg',
    keyed: '_90t5Vp174R2_lWwNPZ5q8',
  },
  {
    what: 'passwords masked',
    sent: {
      ...base,
      state: 'fail',
      exitCode: -2_147_024_891,
      output: 'cctk --setuppwd=Geheim1 --valsetuppwd="alt es"\r\nHpqPswd.exe /p"x y" ✓ \ud800\npap,old,new,ascii,us',
      error: 'Set-Item -Path DellSmbios:\\Security\\AdminPassword Geheim1',
    },
    plain: 'k-B1I7o9PJ7cWr7kF9t3h2',
    keyed: 'BGbm-d8P35QP403RsZ_zAi',
  },
  {
    what: 'a user who is null',
    sent: { ...base, osVersion: '10.0.26100', upn: null, exitCode: 3010, output: '' },
    plain: 'iyE0KodY1Zr4ShGvT4Zfm4',
    keyed: 'ljJvrnjHY80NUekzhhrdpF',
  },
  {
    what: 'a user, unknown members, another order',
    sent: { error: '', upn: 'ada@contoso.example', ...base, agent: 'x', state: 'success' },
    plain: '2mikJ8KMqRhaOhorygqW10',
    keyed: 'o0TY0W1RURjwclrL-tcHWj',
  },
];
