// Whether a tenant's caller gets to see what is another tenant's: by its delivery ids, by a key of the wrong tenant, by an operator's question.
import type { Devices } from './fleet.ts';
import type { Answer, DeliveryView } from './oracle.ts';

export type Bridge = { apiUrl: string; operatorToken: string };

/** How many deliveries of each tenant are asked for by every other. */
const ASKED_FOR = 8;

type Known = { tenant: string; deviceId: string; deliveryId: string };

/** @returns what was seen that must not be */
export async function trespass(crew: Devices, answers: readonly Answer[], bridge: Bridge): Promise<string[]> {
  const known = collect(answers);
  const tenants = [...new Set(known.map(({ tenant }) => tenant))];
  const asks = tenants.flatMap((tenant) =>
    known
      .filter((one) => one.tenant === tenant)
      .slice(0, ASKED_FOR)
      .flatMap((theirs) => tenants.filter((other) => other !== tenant).map((other) => ({ theirs, other }))),
  );
  const seen: string[] = [];
  for (const { theirs, other } of asks) {
    // The same run of the other tenant's may have the same id: then it is its own that it must see.
    const own = known.find((one) => one.tenant === other && one.deliveryId === theirs.deliveryId);
    const asDevice = await crew.read({ tenant: other, deviceId: theirs.deviceId }, theirs.deliveryId);
    if (asDevice.kind === 'found' && own === undefined)
      seen.push(`${other} read ${theirs.deliveryId} of ${theirs.tenant}`);
    const withKey = await crew.readAsStranger(
      { tenant: theirs.tenant, deviceId: theirs.deviceId, keyOf: other },
      theirs.deliveryId,
    );
    if (withKey.kind !== 'refused' || withKey.httpStatus !== 401) {
      seen.push(`a key of ${other} passed as one of ${theirs.tenant}: ${withKey.kind}`);
    }
    const asOperator = await readAsOperator(bridge, theirs.deliveryId, other);
    if (asOperator !== null && asOperator.tenant !== other) {
      seen.push(`?tenant=${other} showed ${theirs.deliveryId} of ${String(asOperator.tenant)}`);
    }
    if (asOperator !== null && own === undefined) seen.push(`?tenant=${other} showed ${theirs.deliveryId}`);
  }
  return seen;
}

function collect(answers: readonly Answer[]): Known[] {
  return answers.flatMap(({ submission: { tenant, runResult }, deliveryId }) =>
    deliveryId === null ? [] : [{ tenant, deviceId: runResult.deviceId, deliveryId }],
  );
}

/** @returns the delivery; null where there is none */
async function readAsOperator({ apiUrl, operatorToken }: Bridge, deliveryId: string, tenant: string) {
  const response = await fetch(`${apiUrl}/v1/deliveries/${deliveryId}?tenant=${tenant}`, {
    headers: { authorization: `Bearer ${operatorToken}` },
    signal: AbortSignal.timeout(5000),
  });
  const body = (await response.json()) as NonNullable<DeliveryView> & { tenant?: string };
  return response.ok ? body : null;
}
