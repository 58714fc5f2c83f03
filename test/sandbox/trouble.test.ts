// One configuration in trouble beside others that are well, and records that show less of a text than was sent.
import { expect, test } from 'vitest';

import { acceptable } from './client.ts';
import { openSandbox } from './opened.ts';

const { sandbox, client } = await openSandbox();

test.each([
  ['forbidden', [403, 'Forbidden'], [403, 'Forbidden']],
  ['failing', [500, 'InternalServerError'], [500, 'InternalServerError']],
  ['unserved', [400, 'No method match route template'], [200, undefined]],
] as const)(
  'a configuration that is %s · is answered accordingly · and the others as usual',
  async (trouble, create, list) => {
    const [one = '', other = ''] = sandbox.configurationIds;
    sandbox.set({ troubles: { [one]: trouble } });
    const answers = async (id: string) => {
      const paths = [
        await client.send('POST', client.statesPath(id), acceptable),
        await client.call(client.statesPath(id.toUpperCase())),
      ];
      return Promise.all(
        paths.map(async (response) => [
          response.status,
          ((await response.json()) as { error?: { code: string } }).error?.code,
        ]),
      );
    };
    expect(await answers(one)).toEqual([create, list]);
    expect(await answers(other)).toEqual([
      [201, undefined],
      [200, undefined],
    ]);
    expect(sandbox.records()).toHaveLength(1);
    sandbox.set({ troubles: {} });
    expect((await answers(one))[0]?.[0]).toBe(201);
  },
);

test('a long text · is shown shortened · and kept whole for those who inspect the sandbox', async () => {
  sandbox.set({ longestText: 10 });
  const long = { configurationOutput: 'x'.repeat(11), configurationError: null };
  const created = (await (await client.create(long)).json()) as object;
  expect(created).toMatchObject({ configurationOutput: 'x'.repeat(10), configurationError: null });
  sandbox.set({ longestText: null });
  const { value } = (await (await client.list()).json()) as { value: object[] };
  expect(value).toMatchObject([{ configurationOutput: 'x'.repeat(10) }]);
  expect(sandbox.records()).toMatchObject([long]);
});
