// What of a device's words gets into an address of Graph's: a GUID, and a device name inside one quoted filter; nothing else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLookUp } from '../../src/graph/lookup/look-up.ts';
import { startGraph, type GraphWorld } from '../support/graph.ts';
import { fc } from '../support/properties.ts';

let graph: GraphWorld;
beforeAll(async () => {
  graph = await startGraph({ config: { attemptTimeoutMs: 2000 } });
  await graph.create(graph.state());
});
afterAll(() => graph[Symbol.asyncDispose]());

const GUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const guid = fc.uuid();
const nearly = fc.oneof(
  guid.map((id) => `${id}\n`),
  guid.map((id) => `${id}/../x`),
  guid.map((id) => `{${id}}`),
  guid.map((id) => id.replaceAll('-', '')),
  guid.map((id) => `..%2f${id}`),
  fc.constantFrom('..', '.', '', '%2e%2e', '*', "x')/y", 'x?$filter=1', 'x#', 'a/b', '\ud800'),
  fc.string({ unit: 'binary' }),
);

test('any id of a configuration · is a GUID in the address · or there is no request', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(guid, nearly), async (hardwareConfigurationId) => {
      const paths: string[] = [];
      const stop = graph.sandbox.subscribe(({ path }) => void paths.push(path));
      const sent = await graph.create(graph.state({ hardwareConfigurationId })).catch((error: unknown) => error);
      stop();
      if (GUID.test(hardwareConfigurationId)) {
        expect(paths).toEqual([
          `/beta/deviceManagement/hardwareConfigurations/${hardwareConfigurationId}/deviceRunStates`,
        ]);
      } else {
        expect(sent).toEqual(new Error('the id of a hardware configuration is no GUID'));
        expect(paths).toEqual([]);
      }
    }),
    { numRuns: 150 },
  );
});

test('any device name · stays inside the quotes of its filter · and finds no one else’s record', async () => {
  const { signal } = new AbortController();
  const urls: string[] = [];
  const client: typeof graph.client = {
    ...graph.client,
    list: (url, stop) => {
      urls.push(url);
      return graph.client.list(url, stop);
    },
  };
  const lookUp = createLookUp({ graph: client, takeTurn: () => Promise.resolve(), clock: graph.clock });
  const names = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
    fc.constantFrom(
      "x' or deviceName ne '",
      "'",
      "''",
      "' eq '",
      'a&$top=1',
      '\ud800',
      'x\udc00y',
      '#',
      '%27',
      '\u0000',
    ),
  );
  await fc.assert(
    fc.asyncProperty(names, async (deviceName) => {
      urls.length = 0;
      const found = await lookUp(graph.state({ deviceName }), signal);
      expect(found).toMatchObject({ kind: 'records', ids: [] });
      // The filter is asked first; where it finds none, the listing may be read as well.
      const { searchParams, hash } = new URL(urls[0] ?? '');
      expect([[...searchParams.keys()], hash]).toEqual([['$filter'], '']);
      const quoted = deviceName.toWellFormed().replaceAll("'", "''");
      expect(searchParams.get('$filter')).toBe(`deviceName eq '${quoted}'`);
    }),
    { numRuns: 150 },
  );
});
