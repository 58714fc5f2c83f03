// The tenants file of a run, changed as an operator would: each process has its own, which names its own way to each Graph.
import { createTenantsFile, type TenantsFile } from '../support/tenants-file.ts';
import { PARTIES, type Party } from './plan.ts';

export type FiledTenant = {
  id: string;
  groupKey: Uint8Array;
  /** What the entry says of Graph and the app, for a process with its own way there. */
  entryFor: (party: Party) => { azure: object; graph: object };
  secret: string;
};

export type TenantsFiles = {
  pathOf: (party: Party) => string;
  /** Of several that pause or remove a tenant, the last that ends puts it back. */
  pause: (id: string, change: 1 | -1) => void;
  remove: (id: string, change: 1 | -1) => void;
  /** While it is broken, no other change can be written. */
  break: () => void;
  repair: () => void;
  setSecret: (id: string, secret: string) => void;
  /** All tenants, none paused, nothing broken. */
  mend: () => void;
  close: () => void;
};

/** Each a fault for a reason of its own. */
const BROKEN = [
  'tenants: [',
  '',
  'tenants:\n  - id: "Not An Id"\n',
  'tenants:\n  - id: tenant-1\n    azure: {}\n    devices: { groupKeyFiles: [/nowhere] }\n',
];

export function openTenantsFiles(tenants: readonly FiledTenant[], late: ReadonlySet<string>): TenantsFiles {
  const files = Object.fromEntries(PARTIES.map((party) => [party, createTenantsFile()])) as Record<Party, TenantsFile>;
  const paused = new Map<string, number>();
  const removed = new Map([...late].map((id) => [id, 1]));
  let isBroken = false;
  let timesBroken = 0;

  const entryOf = (tenant: FiledTenant, party: Party) => {
    const { azure, graph } = tenant.entryFor(party);
    const file = files[party];
    return {
      id: tenant.id,
      azure: { ...azure, clientSecretFile: file.file(`${tenant.id}-secret`, tenant.secret) },
      graph,
      devices: {
        groupKeyFiles: [file.file(`${tenant.id}-devices`, Buffer.from(tenant.groupKey).toString('base64'))],
      },
      ...((paused.get(tenant.id) ?? 0) > 0 && { paused: true }),
    };
  };
  const write = () => {
    for (const party of PARTIES) {
      if (isBroken) files[party].writeText(BROKEN[timesBroken % BROKEN.length] ?? '');
      else {
        const present = tenants.filter(({ id }) => (removed.get(id) ?? 0) <= 0);
        files[party].write(present.map((tenant) => entryOf(tenant, party)));
      }
    }
  };
  const count = (counts: Map<string, number>) => (id: string, change: 1 | -1) => {
    counts.set(id, (counts.get(id) ?? 0) + change);
    write();
  };

  write();
  return {
    pathOf: (party) => files[party].path,
    pause: count(paused),
    remove: count(removed),
    break: () => {
      isBroken = true;
      timesBroken += 1;
      write();
    },
    repair: () => {
      isBroken = false;
      write();
    },
    setSecret: (id, secret) => {
      const tenant = tenants.find((one) => one.id === id);
      if (tenant) tenant.secret = secret;
      write();
    },
    mend: () => {
      paused.clear();
      removed.clear();
      isBroken = false;
      write();
    },
    close: () => PARTIES.forEach((party) => files[party].close()),
  };
}
