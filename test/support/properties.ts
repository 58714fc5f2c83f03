// fast-check with the same cases in every run, so that a change which breaks nothing stays green.
// `PROPERTY_SEED=random npx vitest run test/domain` looks for cases nobody has tried; a number replays a seed.
import fc from 'fast-check';

const { PROPERTY_SEED = '1' } = process.env;
if (PROPERTY_SEED !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(PROPERTY_SEED) });

export { fc };
